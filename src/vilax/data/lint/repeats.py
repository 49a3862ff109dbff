"""Which of very many values occur more than once, with bounded memory."""

import hashlib
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

HELD = 1 << 19
"""Values kept in memory; more go to temporary files by their first bits."""

BUCKETS = 64
LISTED = 5
"""Members of a group that are kept."""


def digest(data: bytes) -> int:
    """64 bits that stand for the data: two different ones share them once in 10^19."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


class Repeats:
    """Collects (value, index) and then tells the values that several indexes share."""

    def __init__(self) -> None:
        self._values = array("Q")
        self._indexes = array("q")
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> "Repeats":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, value: int, index: int) -> None:
        """Note that ``index`` has ``value``."""
        self._values.append(value)
        self._indexes.append(index)
        if len(self._values) >= HELD:
            self._spill()

    def _spill(self) -> None:
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="vilax-repeats-")
        rows = self._rows()
        order = np.argsort(rows[:, 0] >> np.uint64(58), kind="stable")
        rows = rows[order]
        edges = np.searchsorted(rows[:, 0] >> np.uint64(58), np.arange(BUCKETS + 1))
        for bucket in range(BUCKETS):
            some = rows[edges[bucket] : edges[bucket + 1]]
            with (Path(self._folder.name) / str(bucket)).open("ab") as file:
                file.write(some.tobytes())
        self._values, self._indexes = array("Q"), array("q")

    def _rows(self) -> "np.ndarray[tuple[int, int], np.dtype[np.uint64]]":
        values = np.frombuffer(self._values, dtype=np.uint64) if self._values else np.zeros(0)
        indexes = np.frombuffer(self._indexes, dtype=np.int64) if self._indexes else np.zeros(0)
        return np.stack([values.astype(np.uint64), indexes.astype(np.uint64)], axis=1)

    def groups(self) -> list[tuple[int, list[int]]]:
        """How many indexes share a value, and the first few of them; by the first one."""
        if self._folder is None:
            return sorted(_groups(self._rows()), key=lambda group: group[1])
        self._spill()
        found: list[tuple[int, list[int]]] = []
        for bucket in range(BUCKETS):
            path = Path(self._folder.name) / str(bucket)
            found += _groups(np.fromfile(path, dtype=np.uint64).reshape(-1, 2))
        return sorted(found, key=lambda group: group[1])


def _groups(
    rows: "np.ndarray[tuple[int, int], np.dtype[np.uint64]]",
) -> Iterator[tuple[int, list[int]]]:
    if len(rows) == 0:
        return
    rows = np.unique(rows, axis=0)
    starts = np.flatnonzero(np.r_[True, rows[1:, 0] != rows[:-1, 0]])
    sizes = np.diff(np.r_[starts, len(rows)])
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        yield size, [int(i) for i in rows[start : start + min(size, LISTED), 1]]
