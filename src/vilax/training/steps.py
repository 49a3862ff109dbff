"""What one optimizer step sees: rows from every logical stream, on the rank that owns it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.data.engine import CorpusSource, Stream
from vilax.data.formats import open_corpus
from vilax.data.packing import PackedBatch
from vilax.data.prompt import PromptEncoder
from vilax.training.sources import corpus_config, corpus_path

Visual = Callable[[Sequence[bytes]], Float[Tensor, "images ..."]]
"""Picture bytes to what the model takes: pixels, or features where the encoder is frozen."""


@dataclass
class StepBatch:
    """The rows of one optimizer step on one rank.

    Attributes:
        parts: micro-batches, each forwarded on its own.
        visual: for each micro-batch its pixels or features; None where it has no picture.
        wait: seconds spent waiting for data.
    """

    parts: list[PackedBatch]
    visual: list[Tensor | None]
    wait: float

    def to(self, device: torch.device | str) -> "StepBatch":
        """Move all tensors to a device (Lightning calls this)."""
        return StepBatch(
            [part.to(device) for part in self.parts],
            [None if v is None else v.to(device) for v in self.visual],
            self.wait,
        )


def open_sources(run: Run, stage: Stage) -> dict[str, CorpusSource]:
    """Readers of a stage's blend.

    Raises:
        ConfigError: a corpus does not exist, naming the key and the path.
    """
    sources: dict[str, CorpusSource] = {}
    for name in stage.blend.corpora:
        corpus = corpus_config(run, name)
        path = corpus_path(run, corpus.path)
        if not path.exists():
            raise ConfigError(
                f"corpora.{name}.path={corpus.path} does not exist;"
                f" expected a file or folder in format {corpus.format}"
            )
        reader = open_corpus(name, path, corpus.format)
        sources[name] = CorpusSource(reader, corpus.template)
    return sources


class StepLoader:
    """An endless iterator of ``StepBatch`` whose position can be saved and restored exactly.

    A job has ``blend.streams`` logical streams whatever its world size; rank r of W owns those
    with index % W == r. The rows of a step are therefore the same on one rank and on many.
    """

    def __init__(
        self,
        streams: dict[int, Stream],
        rows_per_stream: int,
        micro_rows: int,
        visual: Visual | None,
        dummy: Tensor | None,
    ) -> None:
        self.streams = streams
        self.rows_per_stream = rows_per_stream
        self.micro_rows = micro_rows
        self.visual = visual
        self.dummy = dummy

    def __iter__(self) -> Iterator[StepBatch]:
        while True:
            began = time.perf_counter()
            rows = [
                next(stream)
                for stream in self.streams.values()
                for _ in range(self.rows_per_stream)
            ]
            batch = PackedBatch.from_rows(rows)
            parts = batch.split(self.micro_rows) if self.micro_rows else [batch]
            visual = [self._visual(part) for part in parts]
            yield StepBatch(parts, visual, time.perf_counter() - began)

    def __len__(self) -> int:
        # Without a length Lightning fetches one batch ahead and the saved position is one off.
        return 2**31

    def _visual(self, part: PackedBatch) -> Tensor | None:
        if self.visual is not None and part.images:
            return self.visual(part.images)
        return self.dummy

    def state(self) -> dict[str, Any]:
        """Position of each stream of this rank, as JSON."""
        return {str(index): stream.state() for index, stream in self.streams.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put each stream of this rank where ``state`` (of any world size) says."""
        for index, stream in self.streams.items():
            stream.restore(state[str(index)])


def build_streams(
    run: Run,
    stage: Stage,
    encoder: PromptEncoder,
    seed: int,
    rank: int,
    world: int,
    quarantine: Path,
) -> dict[int, Stream]:
    """The logical streams that a rank owns."""
    sources = open_sources(run, stage)
    return {
        index: Stream(sources, stage.blend, encoder, stage.length, seed, index, quarantine)
        for index in range(stage.blend.streams)
        if index % world == rank
    }
