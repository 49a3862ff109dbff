"""Text instructions: ``inputs`` and ``targets`` as parquet (Open-Orca/FLAN) or JSONL."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vilax.config.errors import ConfigError
from vilax.data.document import Document, Text
from vilax.data.formats.files import BadSample, Lines, field, fingerprint

CACHED_GROUPS = 32
"""Row groups kept in memory: twice the slices that the engine reads side by side."""


class FlanReader:
    """A user turn and a supervised answer per row."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        parquet = [path for path in files if path.suffix == ".parquet"]
        self._rows: Lines | _ParquetRows = _ParquetRows(parquet) if parquet else Lines(files)
        self._paths = parquet or list(files)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: ``inputs`` or ``targets`` is missing, empty or no text.
        """
        key = self._rows.key(index)
        record = self._rows.record(index)
        asked = field(key, record, "inputs", str).strip()
        answer = field(key, record, "targets", str).strip()
        if not asked or not answer:
            raise BadSample(key, f"empty {'targets' if asked else 'inputs'}")
        turns = (Text(asked, loss=False, role="user"), Text(answer, role="assistant"))
        return Document(key, self.name, turns)

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        return self._rows.key(index)

    def shard(self, index: int) -> str:
        """File of document ``index``."""
        return self._paths[self._rows.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """The record of document ``index``.

        Raises:
            BadSample: it is not an object.
        """
        return self._rows.record(index)

    def fingerprint(self) -> str:
        """Hash of the files."""
        return fingerprint("flan", self._paths)


class _ParquetRows:
    """Rows of parquet files by index, read by row group."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._parquet = parquet_module(paths[0])
        self._paths = list(paths)
        groups: list[tuple[int, int]] = []
        counts: list[int] = []
        for number, path in enumerate(paths):
            metadata = self._parquet.read_metadata(path)
            for group in range(metadata.num_row_groups):
                groups.append((number, group))
                counts.append(metadata.row_group(group).num_rows)
        self._groups = groups
        self._first = np.cumsum([0, *counts])
        self._cache: OrderedDict[int, Any] = OrderedDict()

    def __len__(self) -> int:
        return int(self._first[-1])

    def file_of(self, index: int) -> int:
        place = int(np.searchsorted(self._first, index, side="right")) - 1
        return self._groups[place][0]

    def key(self, index: int) -> str:
        place = int(np.searchsorted(self._first, index, side="right")) - 1
        number, group = self._groups[place]
        return f"{self._paths[number].name}:{group}:{index - int(self._first[place]) + 1}"

    def record(self, index: int) -> dict[str, Any]:
        place = int(np.searchsorted(self._first, index, side="right")) - 1
        if place not in self._cache:
            number, group = self._groups[place]
            file = self._parquet.ParquetFile(self._paths[number])
            self._cache[place] = file.read_row_group(group, columns=["inputs", "targets"])
            if len(self._cache) > CACHED_GROUPS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(place)
        table = self._cache[place]
        row = index - int(self._first[place])
        return {name: table[name][row].as_py() for name in ("inputs", "targets")}


def parquet_module(path: Path) -> Any:
    """``pyarrow.parquet``.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError(
            f"{path.name}: reading parquet needs pyarrow; install it, or give the rows as JSONL"
            ' with {"inputs": ..., "targets": ...} a line'
        ) from error
    return parquet
