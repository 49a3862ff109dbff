"""What one optimizer step sees: rows from every logical stream, on the rank that owns it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.data.engine import CorpusSource, Counts, Stream
from vilax.data.feed import Feed
from vilax.data.intake import Prepare
from vilax.data.packing import PackedBatch
from vilax.data.prompt import PromptEncoder
from vilax.models.views import Visual
from vilax.training.sources import corpus_config, open_reader, shows_videos

See = Callable[[Sequence[Any]], Visual]
"""Pictures to what the model takes: pixels, or features where the encoder is frozen."""


@dataclass
class StepBatch:
    """The rows of one optimizer step on one rank.

    Attributes:
        parts: micro-batches, each forwarded on its own.
        visual: for each micro-batch its pixels (uint8) or features; None where it has no picture.
        wait: seconds spent waiting for data.
    """

    parts: list[PackedBatch]
    visual: list[Visual | None]
    wait: float

    def to(self, device: torch.device | str) -> "StepBatch":
        """Move all tensors to a device (Lightning calls this)."""
        return StepBatch(
            [part.to(device) for part in self.parts],
            [None if v is None else v.to(device) for v in self.visual],
            self.wait,
        )


def open_sources(run: Run, stage: Stage, encoder: PromptEncoder) -> dict[str, CorpusSource]:
    """Corpora of a stage's blend, as its streams take them.

    Raises:
        ConfigError: a corpus does not exist, naming the key and the path; or it shows videos to a
            model that reads pictures in tiles.
    """
    sources: dict[str, CorpusSource] = {}
    for name in stage.blend.corpora:
        corpus = corpus_config(run, name)
        reader = open_reader(run, name, encoder)
        if not isinstance(encoder.tokens_per_image, int) and shows_videos(reader):
            raise ConfigError(
                f"encoder.image_policy={run.encoder.image_policy} with corpus {name!r}, which shows"
                " videos: every frame would be cut into tiles; expected pad, resize or crop"
            )
        sources[name] = CorpusSource(reader, corpus.template, corpus.derive)
    return sources


class StepLoader:
    """An endless iterator of ``StepBatch`` whose position can be saved and restored exactly.

    A job has ``blend.streams`` logical streams whatever its world size; rank r of W owns those
    with index % W == r. The rows of a step are therefore the same on one rank and on many.

    Args:
        feed: rows of this rank's streams.
        micro_rows: rows of a micro-batch; 0: all of a step's rows.
        visual: pictures to what the model takes; None for text alone.
        dummy: stands where a micro-batch has no picture; None: nothing does.
    """

    def __init__(
        self, feed: Feed, micro_rows: int, visual: See | None, dummy: Visual | None
    ) -> None:
        self.feed = feed
        self.micro_rows = micro_rows
        self.visual = visual
        self.dummy = dummy

    def __iter__(self) -> Iterator[StepBatch]:
        while True:
            began = time.perf_counter()
            rows = [row for some in next(self.feed).values() for row in some]
            batch = PackedBatch.from_rows(rows)
            parts = batch.split(self.micro_rows) if self.micro_rows else [batch]
            visual = [self._visual(part) for part in parts]
            yield StepBatch(parts, visual, time.perf_counter() - began)

    def __len__(self) -> int:
        # Without a length Lightning fetches one batch ahead and the saved position is one off.
        return 2**31

    def _visual(self, part: PackedBatch) -> Visual | None:
        if self.visual is not None and part.images:
            return self.visual(part.images)
        return self.dummy

    def counts(self) -> Counts:
        """What this rank did so far, over its streams and corpora."""
        total = Counts()
        for corpora in self.feed.counts.values():
            for counts in corpora.values():
                total.add(counts)
        return total

    def state(self) -> dict[str, Any]:
        """Position of each stream of this rank, as JSON."""
        return self.feed.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Put each stream of this rank where ``state`` (of any world size) says."""
        self.feed.restore(state)


def stream_builder(
    run: Run,
    stage: Stage,
    encoder: PromptEncoder,
    seed: int,
    quarantine: Path,
    prepare: Callable[[], Prepare] | None = None,
) -> Callable[[int], Stream]:
    """What makes a stage's stream of a number; corpora are opened when the first one is asked for.

    Args:
        run: the configuration.
        stage: whose blend.
        encoder: documents to tokens.
        seed: of blending and shuffling.
        quarantine: JSONL file that names broken documents.
        prepare: makes what is done to each picture before packing; None: it is looked at only.
    """
    opened: dict[str, dict[str, CorpusSource]] = {}

    def build(number: int) -> Stream:
        if not opened:
            opened["sources"] = open_sources(run, stage, encoder)
        return Stream(
            opened["sources"],
            stage.blend,
            encoder,
            stage.length,
            seed,
            number,
            quarantine,
            stage.images,
            None if prepare is None else prepare(),
        )

    return build


def numbers_of(stage: Stage, rank: int, world: int) -> list[int]:
    """Streams that a rank owns."""
    return [number for number in range(stage.blend.streams) if number % world == rank]
