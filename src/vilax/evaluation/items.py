"""Evaluation items as they lie on disk (layout: ``vilax.micro.evaluation_data``)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from vilax.config.errors import ConfigError

DEVELOPMENT_SEED = 100
"""Seeds from here up see development items: settings are chosen on those, results reported on the
others (design.md 7.2)."""


@dataclass(frozen=True)
class Item:
    """One test item, or one that may serve as a shot.

    Attributes:
        id: unique within a split and its shots.
        image: file relative to the data folder; None for text.
        subject: the word that stands for the picture in text.
        relation: what is asked for.
        format: name of how an example is written; None with a question.
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
    pool = folder / f"{name}_shots.jsonl"
    shots = _read(pool) if pool.is_file() or any(item.shots for item in items.values()) else {}
    known = {item.id: item for item in shots.values()}
    seen: set[str] = set(known)
    for place, item in items.items():
        if item.id in seen:
            raise ConfigError(f"{place} is not an item: id {item.id!r} is there already")
        seen.add(item.id)
        for shot in item.shots or ():
            if shot not in known:
                raise ConfigError(f"{place} is not an item: {pool.name} has no shot {shot!r}")
    drawn = sorted(items.values(), key=lambda item: hashlib.sha256(item.id.encode()).digest())
    chosen = {item.id for item in drawn[:most]}
    return Split([item for item in items.values() if item.id in chosen], known, folder)


def _read(file: Path) -> dict[str, Item]:
    """Where an item stands (file and line) to the item."""
    if not file.is_file():
        raise ConfigError(f"evaluation.data has no {file.name}: expected it in {file.parent.name}/")
    items: dict[str, Item] = {}
    ids: set[str] = set()
    # Not splitlines(): text inside JSON may hold other characters that it takes for line ends.
    lines = file.read_bytes().rstrip(b"\n").split(b"\n")
    for number, line in enumerate([] if lines == [b""] else lines, 1):
        place = f"{file.parent.name}/{file.name} line {number}"
        try:
            item = _item(json.loads(line))
            if item.id in ids:
                raise ValueError(f"id {item.id!r} is there already")
        except ValueError as error:
            raise ConfigError(f"{place} is not an item: {error}") from error
        ids.add(item.id)
        items[place] = item
    return items


def _item(record: Any) -> Item:
    if not isinstance(record, dict):
        raise ValueError("expected an object")
    image = _text(record, "image", optional=True)
    if image is not None:
        path = PurePosixPath(image)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"field 'image': {image!r} lies outside the folder")
    item = Item(
        id=_some(record, "id"),
        image=image,
        subject=_some(record, "subject"),
        relation=_some(record, "relation"),
        format=_text(record, "format", optional=True),
        between=_text(record, "between", optional=True),
        after=_text(record, "after", optional=True),
        question=_text(record, "question", optional=True),
        answers=_texts(record, "answers") or (),
        candidates=_texts(record, "candidates", optional=True),
        novel=_texts(record, "novel") or (),
        shots=_texts(record, "shots", optional=True),
        shot_order=_order(record),
    )
    _check(item)
    return item


def _check(item: Item) -> None:
    if not item.answers or not all(item.answers):
        raise ValueError("field 'answers': expected at least one, none of them empty")
    if (item.between is None) != (item.after is None) or (item.between is None) == (
        item.question is None
    ):
        raise ValueError("expected either 'question', or 'between' and 'after'")
    if item.candidates is not None:
        if not all(item.candidates) or len(set(item.candidates)) != len(item.candidates):
            raise ValueError("field 'candidates': expected different ones, none of them empty")
        if not set(item.answers) & set(item.candidates):
            raise ValueError("field 'candidates': no answer is among them")
    if len(set(item.shots or ())) != len(item.shots or ()):
        raise ValueError("field 'shots': one is named twice")


def _field(record: Mapping[str, Any], name: str) -> Any:
    if name not in record:
        raise ValueError(f"field {name!r} is missing")
    return record[name]


def _text(record: Mapping[str, Any], name: str, optional: bool = False) -> str | None:
    value = _field(record, name)
    if isinstance(value, str) or (value is None and optional):
        return value
    raise ValueError(f"field {name!r}: expected text{' or null' if optional else ''}: {value!r}")


def _some(record: Mapping[str, Any], name: str) -> str:
    value = _text(record, name)
    if not value:
        raise ValueError(f"field {name!r}: expected text that is not empty")
    return value


def _texts(record: Mapping[str, Any], name: str, optional: bool = False) -> tuple[str, ...] | None:
    value = _field(record, name)
    if value is None and optional:
        return None
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise ValueError(f"field {name!r}: expected a list of texts{' or null' if optional else ''}")


def _order(record: Mapping[str, Any]) -> Literal["draw", "prefix"]:
    value = _field(record, "shot_order")
    if value == "draw":
        return "draw"
    if value == "prefix":
        return "prefix"
    raise ValueError(f"field 'shot_order': expected 'draw' or 'prefix': {value!r}")
