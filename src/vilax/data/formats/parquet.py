"""Rows of parquet files by index, read by row group."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vilax.config.errors import ConfigError
from vilax.data.formats.files import BadSample
from vilax.data.storage import RemotePlace

CACHED_GROUPS = 32
"""Row groups kept in memory: twice the slices that the engine reads side by side."""


CACHED_BYTES = 1 << 30
"""Bytes of row groups kept in memory, but for the one in use."""


class ParquetRows:
    """Records of parquet files; a file that cannot be opened counts as one record, a broken one.

    Args:
        paths: the files.
        columns: what is read of them; None: all.

    Raises:
        ConfigError: pyarrow is not installed.
    """

    def __init__(self, paths: Sequence[Path], columns: Sequence[str] | None = None) -> None:
        self._parquet = parquet_module(paths[0])
        self._paths = list(paths)
        self._columns = None if columns is None else list(columns)
        self._groups: list[tuple[int, int]] = []
        self._broken: dict[int, str] = {}
        counts: list[int] = []
        for number, path in enumerate(paths):
            try:
                metadata = self._parquet.read_metadata(_source(path))
                sizes = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
            except (OSError, ValueError) as error:
                self._broken[len(self._groups)] = _first_line(error)
                sizes = [1]
            self._groups += [(number, group) for group in range(len(sizes))]
            counts += sizes
        self._first = np.cumsum([0, *counts])
        self._cache: OrderedDict[int, Any] = OrderedDict()

    def __len__(self) -> int:
        return int(self._first[-1])

    def _place(self, index: int) -> int:
        return int(np.searchsorted(self._first, index, side="right")) - 1

    def file_of(self, index: int) -> int:
        """Number of the file that holds row ``index``."""
        return self._groups[self._place(index)][0]

    def key(self, index: int) -> str:
        """File name, row group from 0, and row in it from 1."""
        place = self._place(index)
        number, group = self._groups[place]
        return f"{self._paths[number].name}:{group}:{index - int(self._first[place]) + 1}"

    def record(self, index: int) -> dict[str, Any]:
        """The wanted columns of row ``index``.

        Raises:
            BadSample: the file is broken or gone.
        """
        place = self._place(index)
        if place in self._broken:
            raise BadSample(self.key(index), f"no parquet that can be read: {self._broken[place]}")
        if place not in self._cache:
            number, group = self._groups[place]
            try:
                with self._parquet.ParquetFile(_source(self._paths[number])) as file:
                    self._cache[place] = file.read_row_group(group, columns=self._columns)
            except (OSError, ValueError) as error:
                raise BadSample(self.key(index), f"cannot be read: {_first_line(error)}") from error
            while len(self._cache) > 1 and (
                len(self._cache) > CACHED_GROUPS
                or sum(table.nbytes for table in self._cache.values()) > CACHED_BYTES
            ):
                self._cache.popitem(last=False)
        self._cache.move_to_end(place)
        table = self._cache[place]
        row = index - int(self._first[place])
        return {name: table[name][row].as_py() for name in table.column_names}


def _source(path: Path) -> Any:
    """What pyarrow opens: a path, or an open file."""
    return path.open("rb") if isinstance(path, RemotePlace) else path


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


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


def column_names(paths: Sequence[Path]) -> list[str]:
    """Columns of the first file that can be read; none if none can."""
    for path in paths:
        try:
            return list(parquet_module(path).read_schema(_source(path)).names)
        except (OSError, ValueError):
            continue
    return []
