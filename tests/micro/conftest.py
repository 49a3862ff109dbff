"""A tiny world, built once for all tests of this folder."""

from pathlib import Path

import pytest

from vilax.config.schema.data import MicroWorld
from vilax.micro import corpora


@pytest.fixture(scope="session")
def tiny() -> MicroWorld:
    return MicroWorld(
        concepts=32,
        views=2,
        image_size=64,
        pages=40,
        pairs=24,
        instructions=40,
        text_instructions=40,
        texts=2000,
        workers=1,
    )


@pytest.fixture(scope="session")
def world_folder(tiny: MicroWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "tiny"
    corpora.build(tiny, folder)
    return folder
