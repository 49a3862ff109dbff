"""A stage's streams of rows, read beside its training: the store and its quarantine stay as is."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vilax.config.schema.run import Run
from vilax.data.engine import Stream
from vilax.data.intake import Prepare
from vilax.data.prompt import PromptEncoder
from vilax.data.tiles import TokensPerImage
from vilax.training.build import build_tokenizer_of
from vilax.training.recipe import stage_seed
from vilax.training.seeding import derive
from vilax.training.steps import stream_builder


@contextmanager
def streams_of(
    run: Run,
    name: str,
    tokens_per_image: TokensPerImage,
    prepare: Callable[[], Prepare] | None = None,
) -> Iterator[Callable[[int], Stream]]:
    """What makes a stage's stream of a number, with the rows that its training has.

    Args:
        run: the configuration.
        name: of the stage.
        tokens_per_image: visual tokens of a picture, or what tells them by its size.
        prepare: makes what is done to each picture before packing; None: it is decoded, to see
            that it can be.

    Raises:
        ConfigError: there is no such tokenizer; a corpus does not exist, when a stream is made.
    """
    stage = run.stages[name]
    encoder = PromptEncoder(build_tokenizer_of(run.llm), tokens_per_image)
    seed = derive(stage_seed(run, stage), name, "data")
    with tempfile.TemporaryDirectory() as folder:
        quarantine = Path(folder) / "quarantine.jsonl"
        yield stream_builder(run, stage, encoder, seed, quarantine, prepare)
