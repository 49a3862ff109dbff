"""Annotation files as records: JSON, JSON Lines, tables, parquet, text, folders."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vilax.artifacts.files import sha256
from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask, Table
from vilax.evaluation.expressions import Expressions

Record = dict[str, Any]

SUFFIXES = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".txt": "text",
}


def files_of(table: Table, root: Path) -> list[Path]:
    """The table's files, in the order of their names; empty where there are none.

    Raises:
        ConfigError: the path leaves the benchmarks folder.
    """
    if Path(table.path).is_absolute() or ".." in Path(table.path).parts:
        raise ConfigError(f"path {table.path!r}: expected one inside the benchmarks folder")
    if any(mark in table.path for mark in "*?["):
        return sorted(path for path in root.glob(table.path) if path.is_file())
    one = root / table.path
    if table.format == "folder" and one.is_dir():
        return sorted(path for path in one.rglob("*") if path.is_file())
    return [one] if one.is_file() else []


def annotation_prints(task: BenchmarkTask, root: Path) -> dict[str, str]:
    """sha256 of each annotation file of a task, by its path in the benchmarks folder."""
    tables = dict(task.files)
    if task.few_shot is not None:
        tables |= {f"few_shot.{name}": table for name, table in task.few_shot.files.items()}
    found: dict[str, str] = {}
    for table in tables.values():
        files = files_of(table, root)
        if table.format == "folder":
            names = "\n".join(f"{f.relative_to(root)} {f.stat().st_size}" for f in files)
            found[table.path] = hashlib.sha256(names.encode()).hexdigest()
        else:
            found |= {f.relative_to(root).as_posix(): sha256(f) for f in files}
    return found


def read_records(where: str, files: Mapping[str, Table], root: Path) -> Iterator[Record]:
    """Records of the first table, each with its partners in the others under their names.

    Args:
        where: how messages call the task.
        files: tables by name; the first is the main one.
        root: the benchmarks folder.

    Raises:
        ConfigError: a file cannot be read, or a record has no partner in a table that is needed.
    """
    expressions = Expressions(where)
    names = list(files)
    joined = [_Joined(name, files[name], root, expressions, f"files.{name}") for name in names[1:]]
    for record in _rows(files[names[0]], root, expressions, f"files.{names[0]}"):
        for table in joined:
            record[table.name] = table.partner(record)
        yield record


class _Joined:
    """A table whose records are looked up by a value."""

    def __init__(
        self, name: str, table: Table, root: Path, expressions: Expressions, key: str
    ) -> None:
        if table.match is None or table.to is None:
            raise ConfigError(f"{expressions.where}.{key}: a joined table needs 'match' and 'to'")
        self.name, self.table, self.key = name, table, f"{expressions.where}.{key}"
        self._match = expressions.value(f"{key}.match", table.match)
        to = expressions.value(f"{key}.to", table.to)
        self._groups: dict[Any, list[Record]] = {}
        for record in _rows(table, root, expressions, key):
            self._groups.setdefault(to(record), []).append(record)

    def partner(self, record: Record) -> Any:
        value = self._match(record)
        found = self._groups.get(value, [])
        if self.table.many:
            return found
        if len(found) == 1:
            return found[0]
        if not found and self.table.optional:
            return None
        raise ConfigError(
            f"{self.key}: {len(found)} records of {self.table.path} fit"
            f" {self.table.match}={value!r} of {record['file']}: expected one"
        )


def _rows(table: Table, root: Path, expressions: Expressions, key: str) -> Iterator[Record]:
    keep = None if table.where is None else expressions.value(f"{key}.where", table.where)
    for path in files_of(table, root):
        for number, record in enumerate(_file_rows(table, path)):
            record["row"] = number
            record.setdefault("stem", path.stem)
            record["file"] = path.relative_to(root).as_posix()
            if keep is None or keep(record):
                yield record


def _file_rows(table: Table, path: Path) -> Iterator[Record]:
    layout = table.format if table.format != "auto" else SUFFIXES.get(path.suffix, "text")
    if layout == "folder":
        yield {"suffix": path.suffix}
        return
    try:
        if layout in ("json", "jsonl"):
            rows: Iterator[Any] = _json_rows(table, path, layout)
        elif layout in ("csv", "tsv"):
            rows = _table_rows(table, path, "\t" if layout == "tsv" else ",")
        elif layout == "parquet":
            rows = _parquet_rows(path)
        else:
            rows = iter([{"text": path.read_text(encoding="utf-8")}])
        for row in rows:
            outer = dict(row) if isinstance(row, Mapping) else {table.value or "value": row}
            yield from _flattened(table, outer)
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as {layout}: {error}") from error


def _flattened(table: Table, outer: Record) -> Iterator[Record]:
    if table.flatten is None:
        yield outer
        return
    for inner in outer.get(table.flatten, ()):
        rest = {name: value for name, value in outer.items() if name != table.flatten}
        yield rest | (dict(inner) if isinstance(inner, Mapping) else {table.flatten: inner})


def _json_rows(table: Table, path: Path, layout: str) -> Iterator[Any]:
    text = path.read_bytes()
    if layout == "json" and table.format == "auto" and _is_lines(text):
        layout = "jsonl"
    if layout == "jsonl":
        for number, line in enumerate(text.split(b"\n"), 1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from error
        return
    content = json.loads(text)
    for name in table.at.split(".") if table.at else ():
        if not isinstance(content, Mapping) or name not in content:
            raise ValueError(f"it has no {table.at!r}")
        content = content[name]
    if isinstance(content, Mapping):
        for name, value in content.items():
            row = dict(value) if isinstance(value, Mapping) else {table.value or "value": value}
            yield row | ({table.key: name} if table.key else {})
    elif isinstance(content, list):
        yield from content
    else:
        raise ValueError(f"expected a list or a mapping of records, not {type(content).__name__}")


def _is_lines(text: bytes) -> bool:
    """Whether a ``.json`` file is really JSON Lines, as POPE's are."""
    first, _, rest = text.lstrip().partition(b"\n")
    if not first.startswith(b"{") or not rest.strip():
        return False
    try:
        json.loads(first)
    except ValueError:
        return False
    return True


def _table_rows(table: Table, path: Path, delimiter: str) -> Iterator[Record]:
    # MMBench's tables hold whole pictures in one field.
    csv.field_size_limit(1 << 28)
    is_bare = bool(table.columns) and delimiter == "\t"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = (
            csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
            if is_bare
            else csv.reader(file, delimiter=delimiter)
        )
        header = list(table.columns) or next(rows, [])
        for number, row in enumerate(rows, 1):
            if not row:
                continue
            if len(row) != len(header):
                raise ValueError(
                    f"row {number} has {len(row)} fields: expected {len(header)}"
                    f" ({', '.join(header)})"
                )
            yield dict(zip(header, row, strict=True))


def _parquet_rows(path: Path) -> Iterator[Record]:
    import pyarrow.parquet

    for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=64):
        yield from batch.to_pylist()
