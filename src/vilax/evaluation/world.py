"""The micro world's tasks as the runner sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from vilax.config.schema.evaluation import WorldTask
from vilax.data.document import Document, Image, Segment
from vilax.evaluation.asking import Ask, Scored
from vilax.evaluation.few_shot import choose_shots, prompt_document
from vilax.evaluation.intervals import mean_interval
from vilax.evaluation.items import Split, read_split
from vilax.evaluation.pictures import FilePicture
from vilax.evaluation.tasks import (
    PROTOCOLS,
    chance,
    check_items,
    clean_answer,
    modality_of,
    new_tokens,
    template_of,
)


@dataclass
class WorldSource:
    """A task over the evaluation data of the micro world.

    Args:
        name: the task's name.
        task: its settings.
        split: its items and shots.

    Raises:
        ConfigError: an item lacks what the task needs.
    """

    name: str
    task: WorldTask
    split: Split

    def __post_init__(self) -> None:
        check_items(self.name, self.task, self.split)
        self.shots = self.task.shots
        self.template = template_of(self.task)
        self.max_new_tokens = new_tokens(self.task)
        self.generates = PROTOCOLS[self.task.kind].generates

    def __len__(self) -> int:
        return len(self.split.items)

    def id(self, index: int) -> str:
        """Name of an item."""
        return self.split.items[index].id

    def ask(self, index: int, k: int, seed: int) -> Ask:
        """The prompt of an item with k shots."""
        item = self.split.items[index]
        shots = choose_shots(item, self.split.shots, seed, k)
        modality = modality_of(self.task)
        pictures: dict[bytes, FilePicture] = {}
        document = prompt_document(item, shots, modality)
        segments: list[Segment] = []
        for segment in document.segments:
            if isinstance(segment, Image):
                picture = FilePicture(self.split.folder / segment.data.decode())
                pictures[picture.key] = picture
                segments.append(Image(picture.key))
            else:
                segments.append(segment)
        names = tuple(shot.id for shot in shots)
        return Ask(
            item.id,
            Document(document.key, document.corpus, tuple(segments)),
            pictures,
            None if self.generates else item.candidates or (),
            names,
            names,
        )

    def clean(self, text: str) -> str:
        """A generated answer up to where a line or another turn begins."""
        return clean_answer(text, self.template)

    def score(self, answers: Sequence[str]) -> Scored:
        """Score all items."""
        metric = PROTOCOLS[self.task.kind].metric
        values = PROTOCOLS[self.task.kind].score(self.split.items, answers)
        mean = fmean(values)
        return Scored(values, mean, {metric: mean}, metric, mean_interval(values))

    def row(self, index: int) -> Mapping[str, Any]:
        """The item's word and right answers."""
        item = self.split.items[index]
        return {"subject": item.subject, "reference": list(item.answers)}

    def describe(self) -> Mapping[str, Any]:
        """Metric, rule, split and the score of a blind guess."""
        protocol = PROTOCOLS[self.task.kind]
        return {
            "metric": protocol.metric,
            "rule": protocol.rule,
            "split": self.task.split,
            "chance": self._chance,
        }

    @cached_property
    def _chance(self) -> float | None:
        return chance(self.task, self.split.items)


def world_source(
    name: str, task: WorldTask, data: Path, seed: int, limit: int | None
) -> WorldSource:
    """A task of the micro world with the items that a seed sees.

    Raises:
        ConfigError: the data lack what the task needs.
    """
    most = min(task.items or len_limit(limit), len_limit(limit))
    return WorldSource(name, task, read_split(data, task.split, seed, most))


def len_limit(limit: int | None) -> int:
    """A number of items at most, where none is set."""
    return 2**31 if limit is None else limit
