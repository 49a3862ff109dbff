"""Scores of predictions that were made elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask, Table
from vilax.evaluation.asking import Scored
from vilax.evaluation.expressions import Expressions
from vilax.evaluation.question import QuestionReader
from vilax.evaluation.records import read_records
from vilax.evaluation.scorers import score

IDS = ("id", "question_id", "questionId", "index", "image_id", "image")
ANSWERS = ("answer", "prediction", "response", "text", "caption", "pred", "output")
"""Names under which predictions are looked for, in this order."""


def with_annotations(task: BenchmarkTask, given: Sequence[str]) -> tuple[BenchmarkTask, Path]:
    """A task that reads annotation files from where the caller has them, and their common folder.

    Args:
        task: the task.
        given: a file for the main table, ``NAME=FILE`` for another one, or a folder that stands for
            the task's own folder of benchmarks. A table that is not named is looked for beside the
            main file.

    Raises:
        ConfigError: there is no such file, folder or table.
    """
    main = next(iter(task.files))
    named: dict[str, Path] = {}
    for word in given:
        name, equals, value = word.partition("=")
        table, path = (name, Path(value)) if equals and name in task.files else (main, Path(word))
        path = path.expanduser().absolute()
        if not path.exists():
            raise ConfigError(
                f"--annotations {word}: there is no such file; tables of this task:"
                f" {', '.join(task.files)}"
            )
        named[table] = path
    first = named.get(main)
    if first is None:
        raise ConfigError("--annotations: expected a file or folder for the main table")
    if first.is_dir():
        moved = {name: _under(table, first.name) for name, table in task.files.items()}
        return task.model_copy(update={"files": moved}), first.parent
    for name, other in task.files.items():
        if name not in named:
            same = other.path == task.files[main].path
            named[name] = first if same else first.with_name(Path(other.path).name)
    root = Path(first.anchor)
    files = {
        name: table.model_copy(update={"path": named[name].relative_to(root).as_posix()})
        for name, table in task.files.items()
        if named[name].exists() or not table.optional
    }
    gone = [str(named[name]) for name in files if not named[name].is_file()]
    if gone:
        raise ConfigError(
            f"--annotations: there is no {', '.join(gone)}; give each table as NAME=FILE, tables"
            f" of this task: {', '.join(task.files)}"
        )
    return task.model_copy(update={"files": files}), root


def _under(table: Table, folder: str) -> Table:
    rest = table.path.partition("/")[2]
    return table.model_copy(update={"path": f"{folder}/{rest}"})


def read_predictions(path: Path, id_of: str | None, answer_of: str | None) -> dict[str, str]:
    """Predictions by id: JSON, JSON Lines, CSV, TSV or parquet; a mapping of ids to texts too.

    Records that hold ``questions`` stand for these (Video-MME's layout).

    Args:
        path: the file.
        id_of: *expression* of the id over a record; None: the first of ``IDS`` that it has.
        answer_of: *expression* of the text; None: the first of ``ANSWERS`` that it has.

    Raises:
        ConfigError: the file cannot be read, a record has no id or text, or two predictions of one
            id differ.
    """
    if not path.is_file():
        raise ConfigError(f"--predictions {path}: there is no such file")
    where = "--predictions"
    expressions = Expressions(where)
    pick_id = expressions.value("id", id_of) if id_of else None
    pick_answer = expressions.value("answer", answer_of) if answer_of else None
    table = Table(path=path.name, key="__key", value="__value")
    found: dict[str, str] = {}
    records = read_records(where, {"predictions": table}, path.parent)
    # Video-MME's result layout keeps the questions of a video together.
    for record in (one for outer in records for one in _questions(outer)):
        if "__value" in record and pick_id is None and pick_answer is None:
            name, text = str(record["__key"]), str(record["__value"])
        else:
            name = str(pick_id(record) if pick_id else _first(record, IDS, path, "--id"))
            value = (
                pick_answer(record) if pick_answer else _first(record, ANSWERS, path, "--answer")
            )
            text = "" if value is None else str(value)
        if found.get(name, text) != text:
            raise ConfigError(
                f"--predictions {path}: {name!r} is answered twice, {found[name]!r} and {text!r}"
            )
        found[name] = text
    return found


def _questions(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    inner = record.get("questions")
    return [{**record, **one} for one in inner] if isinstance(inner, list) else [record]


def _first(record: Mapping[str, Any], names: Sequence[str], path: Path, option: str) -> Any:
    for name in names:
        if name in record:
            return record[name]
    raise ConfigError(
        f"--predictions {path}: a record has none of {', '.join(names)}; say which field with"
        f" {option} EXPRESSION; it has: {', '.join(sorted(record))}"
    )


def rescore(
    name: str, task: BenchmarkTask, root: Path, predictions: Mapping[str, str]
) -> tuple[Scored, dict[str, Any]]:
    """Score predictions against annotations; what has no prediction counts as an empty answer.

    Args:
        name: the task's name.
        task: its settings.
        root: folder of its annotation files.
        predictions: id to text.

    Returns:
        The figures, and what ``results.json`` would say of them.

    Raises:
        ConfigError: no prediction fits a question, or annotations cannot be read.
    """
    if task.binding is not None:
        raise ConfigError(
            f"{name} makes its questions itself, so predictions made elsewhere do not fit it"
        )
    reader = QuestionReader(name, task, root, with_pictures=False)
    questions = list(reader.read(task.files, task.where))
    known = {question.id for question in questions}
    if not known & set(predictions):
        ours, theirs = sorted(known)[:3], sorted(predictions)[:3]
        raise ConfigError(
            f"no prediction has the id of a question: annotations have {', '.join(ours)}, ..."
            f" predictions have {', '.join(theirs)}, ...; make ids with --id EXPRESSION"
        )
    scored = score(name, task, questions, [predictions.get(q.id, "") for q in questions])
    facts = asdict(scored) | {
        "values": None,
        "task": name,
        "items": len(questions),
        "without_prediction": len(known - set(predictions)),
        "without_question": len(set(predictions) - known),
        "missing": sorted(known - set(predictions))[:20],
    }
    del facts["values"]
    return scored, facts
