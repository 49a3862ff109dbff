"""Where each document of a corpus lies: found once, kept on disk, looked up without memory."""

import hashlib
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock
from jaxtyping import Int64

from vilax.config.locate import cache_dir

INDEX_VERSION = 1
"""Raised when a file is scanned to other rows than before."""

KEPT_FROM = 8 << 20
"""Corpora of so many bytes have their index kept on disk; smaller ones are scanned each time."""

SIDE_BY_SIDE_FROM = 64 << 20
"""Corpora of so many bytes are scanned by several processes."""


@dataclass
class Scanned:
    """What a scan found in one file.

    Attributes:
        rows: a row of numbers for each document.
        faults: name and reason of each document that cannot be read, by its row.
    """

    rows: Int64[np.ndarray, "documents width"]
    faults: dict[int, tuple[str, str]] = field(default_factory=dict)


Scan = Callable[[Path], Scanned]
"""Looks through one file; a function of a module, so that other processes can call it."""


class Table:
    """Rows of numbers by index; on disk they are read one by one, so memory stays as it is.

    Attributes:
        faults: name and reason of documents that cannot be read, by index.
    """

    def __init__(
        self,
        counts: Sequence[int],
        faults: dict[int, tuple[str, str]],
        width: int,
        rows: Int64[np.ndarray, "documents width"] | Path,
    ) -> None:
        self.faults = faults
        self._first = np.cumsum([0, *counts])
        self._width = width
        self._rows = rows
        self._file = os.open(rows, os.O_RDONLY) if isinstance(rows, Path) else None

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, index: int) -> list[int]:
        """Numbers of document ``index``."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        if self._file is None:
            assert isinstance(self._rows, np.ndarray)
            return [int(number) for number in self._rows[index]]
        size = 8 * self._width
        raw = os.pread(self._file, size, index * size)
        return [int.from_bytes(raw[at : at + 8], "little") for at in range(0, size, 8)]

    def file_of(self, index: int) -> int:
        """Number of the file that holds document ``index``."""
        return int(np.searchsorted(self._first, index, side="right")) - 1

    def within(self, index: int) -> int:
        """Place of document ``index`` in its file, from 0."""
        return index - int(self._first[self.file_of(index)])

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            os.close(self._file)  # type: ignore[arg-type]


def table(kind: str, files: Sequence[Path], width: int, scan: Scan) -> Table:
    """The index of a corpus.

    It is kept below the cache folder under the names, sizes and times of the files, never beside
    them; a damaged one is made again.

    Args:
        kind: what is scanned for; part of the name under which it is kept.
        files: the corpus.
        width: numbers of a row.
        scan: finds the rows of a file.

    Raises:
        OSError: a file cannot be read.
    """
    total = sum(path.stat().st_size for path in files)
    if total < KEPT_FROM:
        return _held(_scanned(files, scan, total), width)
    folder = cache_dir() / "index"
    path = folder / f"{_name(kind, files)}.rows"
    found = _kept(path, width)
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            found = _kept(path, width)
            if found is None:
                _write(path, _scanned(files, scan, total), len(files))
                found = _kept(path, width)
    assert found is not None
    return found


def _name(kind: str, files: Sequence[Path]) -> str:
    digest = hashlib.sha256(f"{kind} {INDEX_VERSION}".encode())
    for path in files:
        status = path.stat()
        digest.update(f"\n{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _held(scanned: Iterator[Scanned], width: int) -> Table:
    parts = [np.zeros((0, width), dtype=np.int64)]
    counts: list[int] = []
    faults: dict[int, tuple[str, str]] = {}
    for part in scanned:
        start = sum(counts)
        faults |= {start + row: fault for row, fault in part.faults.items()}
        parts.append(part.rows.reshape(-1, width))
        counts.append(len(part.rows))
    return Table(counts, faults, width, np.concatenate(parts))


def _kept(path: Path, width: int) -> Table | None:
    try:
        meta = json.loads(path.with_suffix(".json").read_text("utf-8"))
        counts = [int(count) for count in meta["counts"]]
        faults = {int(row): (str(key), str(why)) for row, key, why in meta["faults"]}
        if path.stat().st_size != 8 * width * sum(counts):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Table(counts, faults, width, path)


def _write(path: Path, scanned: Iterator[Scanned], files: int) -> None:
    counts: list[int] = []
    faults: list[tuple[int, str, str]] = []
    with tempfile.TemporaryDirectory(dir=path.parent) as work:
        rows, meta = Path(work) / "rows", Path(work) / "meta"
        with rows.open("wb") as file:
            for part in _watched(scanned, files):
                start = sum(counts)
                faults += [(start + row, *fault) for row, fault in part.faults.items()]
                file.write(part.rows.astype("<i8").tobytes())
                counts.append(len(part.rows))
        meta.write_text(json.dumps({"counts": counts, "faults": faults}), "utf-8")
        os.replace(rows, path)
        # Last: without it the rows do not count.
        os.replace(meta, path.with_suffix(".json"))


def _scanned(files: Sequence[Path], scan: Scan, total: int) -> Iterator[Scanned]:
    is_daemon = multiprocessing.current_process().daemon
    workers = min(len(files), len(os.sched_getaffinity(0)))
    if total < SIDE_BY_SIDE_FROM or workers < 2 or is_daemon:
        yield from map(scan, files)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(scan, files)


def _watched(scanned: Iterator[Scanned], files: int) -> Iterator[Scanned]:
    """With a bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("indexing files"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("index", total=files)
        for part in scanned:
            yield part
            bar.advance(task)
