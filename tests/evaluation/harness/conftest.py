"""A model that sees, and a place where the harnesses keep their copies of data."""

from pathlib import Path

import pytest

from tests.evaluation.models import random_subject
from vilax.evaluation.subject import Subject


@pytest.fixture(scope="module")
def subject() -> Subject:
    return random_subject(context=96)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
