"""Questions of a benchmark: what a record of its annotations becomes."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask, Table
from vilax.data.formats.files import BadSample
from vilax.evaluation.expressions import Compiled, Expressions, lettered
from vilax.evaluation.pictures import (
    BrokenPicture,
    FramePicture,
    Picture,
    find_file,
    pictures_of,
    times_of,
)
from vilax.evaluation.records import Record, files_of, read_records

DRAW_SEED = 0
"""Seed of the subset that ``items`` and ``limit`` leave: the same for every arm, seed and k."""


@dataclass(frozen=True)
class Question:
    """One question of a benchmark, or one of its training split that may be a shot.

    Attributes:
        id: unique within its split.
        unit: what it is drawn and resampled with; its own id where questions stand alone.
        text: the question.
        pictures: shown with it, in order.
        answers: right answers; empty where a server or a judge holds them.
        options: letter to text of each choice; empty without choices.
        candidates: among which the answer is ranked by likelihood; None where it is generated.
        facts: what the metric, the tables and a judge need.
        record: the annotation's fields, for templates.
    """

    id: str
    unit: str
    text: str
    pictures: tuple[Picture, ...]
    answers: tuple[str, ...]
    options: Mapping[str, str]
    candidates: tuple[str, ...] | None
    facts: Mapping[str, Any]
    record: Mapping[str, Any] = field(repr=False)


class QuestionReader:
    """Makes questions of records as a task's expressions say.

    Args:
        name: the task's name.
        task: its settings.
        root: the benchmarks folder.
        pictures: *expression* of a shot's pictures, where it is another one than a question's.
        with_pictures: whether picture files are looked for; scoring alone needs none.

    Raises:
        ConfigError: an expression is none.
    """

    def __init__(
        self,
        name: str,
        task: BenchmarkTask,
        root: Path,
        pictures: str | None = None,
        with_pictures: bool = True,
    ) -> None:
        self.where = f"evaluation.tasks.{name}"
        self.task, self.root = task, root
        self._expressions = Expressions(self.where)
        self._id = self._value("id", task.id)
        self._unit = self._optional("unit", task.unit)
        self._question = self._value("question", task.question)
        shown = (pictures or task.pictures) if with_pictures else None
        self._pictures = self._optional("pictures", shown)
        self._video = self._optional("video", task.video if with_pictures else None)
        self._span = self._optional("span", task.span)
        self._subtitles = self._optional("subtitles", task.subtitles if with_pictures else None)
        self._answers = self._optional("answers", task.answers)
        self._options = self._optional("options", task.options)
        self._rank = self._optional("rank", task.rank)
        self._facts = {k: self._value(f"facts.{k}", text) for k, text in task.facts.items()}

    def read(self, files: Mapping[str, Table], where: str | None) -> Iterator[Question]:
        """Questions of annotation files.

        Args:
            files: tables by name, the main one first.
            where: *expression*; records for which it is false are left out.

        Raises:
            ConfigError: a file or a record does not fit, or two questions have one id.
        """
        keep = self._optional("where", where)
        seen: set[str] = set()
        for record in read_records(self.where, files, self.root):
            if keep is not None and not keep(record):
                continue
            question = self.question(record)
            if question.id in seen:
                raise ConfigError(f"{self.where}.id={self.task.id!r}: {question.id!r} occurs twice")
            seen.add(question.id)
            yield question

    def question(self, record: Record) -> Question:
        """The question that a record becomes.

        Raises:
            ConfigError: a field is missing, or a picture is not there.
        """
        names = dict(record)
        name = str(self._id(names))
        names["question"] = str(self._question(names))
        if self._options is not None:
            names["options"] = lettered(self._options(names))
        if self._answers is not None:
            names["answers"] = _texts(self._answers(names))
        names["facts"] = {key: value(names) for key, value in self._facts.items()}
        return Question(
            id=name,
            unit=str(self._unit(names)) if self._unit else name,
            text=names["question"],
            pictures=self._shown(names),
            answers=names["answers"] if self._answers else (),
            options=names["options"] if self._options else {},
            candidates=_texts(self._rank(names)) if self._rank else None,
            facts=names["facts"],
            record=names,
        )

    def _shown(self, names: dict[str, Any]) -> tuple[Picture, ...]:
        video = self._video(names) if self._video else None
        try:
            if video is not None:
                return self._frames(find_file(self.root, str(video), self.task.suffixes), names)
            value = self._pictures(names) if self._pictures else None
            return pictures_of(value, self.root, self.task.suffixes)
        except ConfigError as error:
            raise ConfigError(f"{self.where}: {error}") from error

    def _frames(self, path: Path, names: dict[str, Any]) -> tuple[Picture, ...]:
        low_high = self._span(names) if self._span else None
        span = None if low_high is None else (float(low_high[0]), float(low_high[1]))
        try:
            times = times_of(path, self.task.frames, span)
        except BadSample as error:
            return (BrokenPicture(path, error.reason),)
        if self._subtitles is not None:
            names["subtitles"] = self._spoken(str(self._subtitles(names)), times)
        return tuple(
            FramePicture(path, number, self.task.frames, span) for number in range(len(times))
        )

    def _spoken(self, name: str, times: Sequence[float]) -> str:
        from vilax.data.subtitles import read_subtitles, subtitles_at

        path = self.root / name
        return "\n".join(subtitles_at(read_subtitles(path), times)) if path.is_file() else ""

    def _value(self, key: str, expression: str) -> Compiled:
        return self._expressions.value(key, expression)

    def _optional(self, key: str, expression: str | None) -> Compiled | None:
        return None if expression is None else self._value(key, expression)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str | int | float):
        return (str(value),)
    return tuple(str(one) for one in value)


def draw(questions: Sequence[Question], most: int | None) -> list[Question]:
    """Questions of whole units, drawn by a fixed seed until there are ``most``; in their order."""
    if most is None or most >= len(questions):
        return list(questions)
    sizes: dict[str, int] = {}
    for question in questions:
        sizes[question.unit] = sizes.get(question.unit, 0) + 1

    def rank(unit: str) -> bytes:
        return hashlib.sha256(f"{DRAW_SEED}/{unit}".encode()).digest()

    taken: set[str] = set()
    count = 0
    for unit in sorted(sizes, key=rank):
        if count >= most:
            break
        taken.add(unit)
        count += sizes[unit]
    return [question for question in questions if question.unit in taken]


def missing_files(name: str, task: BenchmarkTask, root: Path) -> str | None:
    """What of a task's annotation files is not on disk, where it comes from and its terms."""
    tables = dict(task.files)
    if task.few_shot is not None and max(task.shots) > 0:
        tables |= {f"few_shot.{key}": table for key, table in task.few_shot.files.items()}
    gone = [
        table.path for table in tables.values() if not table.optional and not files_of(table, root)
    ]
    if not gone:
        return None
    listed = "".join(f"\n    {root / path}" for path in gone)
    return (
        f"{name} ({task.title}) needs files that are not there:{listed}\n"
        f"  from: {task.source}\n  licence: {task.licence}"
    )
