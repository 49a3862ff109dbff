"""Evaluation items as they lie on disk."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vilax.config.errors import ConfigError

DEVELOPMENT_SEED = 100
"""Seeds from here up see development items: settings are chosen on those, results reported on the
others (design.md 7.2)."""

FIELDS = (
    "id",
    "image",
    "subject",
    "relation",
    "format",
    "between",
    "after",
    "question",
    "answers",
    "candidates",
    "novel",
    "shots",
    "shot_order",
)


@dataclass(frozen=True)
class Item:
    """One test item, or one that may serve as a shot.

    Attributes:
        id: unique within a split and its shots.
        image: file relative to the data folder; None for text.
        subject: the word that stands for the picture in text.
        relation: what is asked for.
        between, after: an example is subject, between, answer, after; None with a question.
        question: what the user asks; None with a format.
        answers: right answers, or reference captions.
        candidates: among which the answer is ranked; None where it is generated.
        novel: what training pages never show: relation, format.
        shots: ids of possible shots; None for an item that is itself a shot.
        shot_order: ``draw`` any of them, or take a ``prefix``.
    """

    id: str
    image: str | None
    subject: str
    relation: str
    format: str | None
    between: str | None
    after: str | None
    question: str | None
    answers: tuple[str, ...]
    candidates: tuple[str, ...] | None
    novel: tuple[str, ...]
    shots: tuple[str, ...] | None
    shot_order: Literal["draw", "prefix"]


@dataclass(frozen=True)
class Split:
    """Items of a split, and the pool from which its shots come."""

    items: list[Item]
    shots: dict[str, Item]
    folder: Path

    def picture(self, item: Item) -> bytes:
        """The item's encoded picture."""
        assert item.image is not None
        return (self.folder / item.image).read_bytes()


def split_folder(data: Path, seed: int) -> Path:
    """Folder of the items that a seed sees."""
    return data / "dev" if seed >= DEVELOPMENT_SEED else data


def read_split(data: Path, name: str, seed: int, most: int) -> Split:
    """Items of a split, the same for every seed below 100 (and for every one from there up).

    Args:
        data: folder of evaluation data.
        name: the split.
        seed: the evaluation's seed.
        most: items at most; which ones is a fixed draw.

    Raises:
        ConfigError: a file is missing or a line is not an item, naming file and line.
    """
    folder = split_folder(data, seed)
    items = _read(folder / f"{name}.jsonl")
    shots = {item.id: item for item in _read(folder / f"{name}_shots.jsonl")}
    drawn = sorted(items, key=lambda item: hashlib.sha256(item.id.encode()).digest())[:most]
    chosen = {item.id for item in drawn}
    return Split([item for item in items if item.id in chosen], shots, folder)


def _read(file: Path) -> list[Item]:
    if not file.is_file():
        raise ConfigError(f"evaluation.data has no {file.name}: expected it in {file.parent.name}/")
    items = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            items.append(_item(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{file.name} line {number} is not an item: {error!r}") from error
    return items


def _item(record: dict[str, Any]) -> Item:
    values = {name: record[name] for name in FIELDS}
    for name in ("answers", "candidates", "novel", "shots"):
        if values[name] is not None:
            values[name] = tuple(values[name])
    return Item(**values)
