"""Random access to lines and byte ranges of many files, with flat memory."""

import gzip
import hashlib
import io
import json
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from os import pread
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

import numpy as np
from jaxtyping import Int64

from vilax.data.document import Document
from vilax.data.formats.index import Scanned, table
from vilax.data.signatures import kind
from vilax.data.storage import RemotePlace

OPEN_FILES = 64
"""Files that a reader keeps open."""

HASHED_WHOLE = 64 << 20
"""Files up to this size are hashed whole; of larger ones, blocks at equal spacing."""

HASHED_BLOCKS = 16
HASHED_BLOCK = 1 << 20
SCANNED_BLOCK = 1 << 24

KINDS = {
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "png": "PNG",
    "webp": "WEBP",
    "bmp": "BMP",
    "tif": "TIFF",
    "tiff": "TIFF",
    "gif": "GIF",
}
"""What a picture's extension claims that it holds."""


class BadSample(Exception):
    """A document that cannot be read; it is counted and set aside, the rest goes on.

    Attributes:
        key: names the document within its corpus.
        reason: what is wrong with it.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


class Reader(Protocol):
    """Documents of one corpus by index."""

    def __len__(self) -> int:
        """Number of documents, the broken ones included."""
        ...

    def __getitem__(self, index: int) -> Document:
        """Document ``index``; raises ``BadSample`` if it is broken."""
        ...

    def key(self, index: int) -> str:
        """Name of document ``index`` as its ``Document.key`` and a ``BadSample`` give it; no
        picture is read."""
        ...

    def shard(self, index: int) -> str:
        """Name of the file that holds document ``index``."""
        ...

    def facts(self, index: int) -> dict[str, Any]:
        """Fields of the record of document ``index`` as they are stored, without content of
        pictures; raises ``BadSample`` if they cannot be read."""
        ...

    def fingerprint(self) -> str:
        """Hash of the corpus's content; the same wherever the files lie."""
        ...


class Files:
    """Byte ranges of several files, opened when first read; at most ``OPEN_FILES`` at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self._open: OrderedDict[int, BinaryIO] = OrderedDict()

    def read(self, number: int, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` of file ``number``; fewer at its end.

        Raises:
            OSError: the file cannot be read.
        """
        path = self.paths[number]
        if isinstance(path, RemotePlace) and path.suffix != ".gz":
            return path.read_range(offset, size)
        return pread(self._handle(number).fileno(), size, offset)

    def whole(self, key: str, number: int, offset: int, size: int) -> bytes:
        """The same, and all of it.

        Raises:
            BadSample: the file is gone, cannot be read, or is shorter than it was.
        """
        try:
            data = self.read(number, offset, size)
        except OSError as error:
            raise BadSample(key, f"{self.paths[number].name} cannot be read: {error}") from error
        if len(data) < size:
            raise BadSample(key, f"{self.paths[number].name} has become shorter while it was read")
        return data

    def _handle(self, number: int) -> BinaryIO:
        handle = self._open.get(number)
        if handle is not None:
            self._open.move_to_end(number)
            return handle
        handle = _open_plain(self.paths[number])
        self._open[number] = handle
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return handle


def _open_plain(path: Path) -> BinaryIO:
    if path.suffix != ".gz":
        return path.open("rb", buffering=0)
    # Random access needs plain bytes: they go to an unnamed temporary file, not into memory.
    plain = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    with unpacked(path) as packed:
        shutil.copyfileobj(packed, plain, SCANNED_BLOCK)
    return plain


def unpacked(path: Path) -> IO[bytes]:
    """A file to be read from its beginning, without the gzip around it."""
    if path.suffix != ".gz":
        return path.open("rb")
    return cast("IO[bytes]", gzip.GzipFile(fileobj=path.open("rb")))


class Lines:
    """Non-empty lines of several JSONL files (also ``.jsonl.gz``) by index."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.files = Files(paths)
        self._table = table("lines", paths, 2, _scan_lines)

    def __len__(self) -> int:
        return len(self._table)

    def file_of(self, index: int) -> int:
        """Number of the file that holds line ``index``."""
        return self._table.file_of(index)

    def key(self, index: int) -> str:
        """File name and number of the line among the file's non-empty lines, from 1."""
        number = self.file_of(index)
        return f"{self.files.paths[number].name}:{self._table.within(index) + 1}"

    def record(self, index: int) -> dict[str, Any]:
        """The JSON object of line ``index``.

        Raises:
            BadSample: the line is not a JSON object, or cannot be read.
        """
        start, size = self._table[index]
        key = self.key(index)
        return parse(key, self.files.whole(key, self.file_of(index), start, size))


def _scan_lines(path: Path) -> Scanned:
    """Start and size of each non-empty line of a file."""
    ends: list[Int64[np.ndarray, " n"]] = []
    base = 0
    with unpacked(path) as file:
        while block := file.read(SCANNED_BLOCK):
            ends.append(np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10) + base)
            base += len(block)
    stops = np.concatenate(ends) if ends else np.zeros(0, dtype=np.int64)
    if base and (len(stops) == 0 or stops[-1] != base - 1):
        stops = np.append(stops, base)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), stops[:-1] + 1])[: len(stops)]
    sizes = stops - starts
    filled = sizes > 1
    return Scanned(np.stack([starts[filled], sizes[filled]], axis=1))


class _Twice(Exception):
    """A field that an object has twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return record


def misnamed(name: str, data: bytes) -> tuple[str, ...]:
    """A note if a picture's extension is that of another kind of picture."""
    claimed = KINDS.get(name.rpartition(".")[2].lower())
    found = kind(data)
    if not claimed or not found or claimed == found:
        return ()
    return (f"named .{name.rpartition('.')[2]}, but holds a {found.lower()}",)


def parse(key: str, raw: bytes) -> dict[str, Any]:
    """A JSON object from bytes.

    Raises:
        BadSample: it is not one.
    """
    try:
        record = json.loads(raw, object_pairs_hook=_once)
    except ValueError as error:
        raise BadSample(key, f"not JSON: {error}") from error
    except RecursionError as error:
        raise BadSample(key, "JSON nested too deep") from error
    except _Twice as error:
        raise BadSample(key, f"field {error.args[0]!r} is there twice") from None
    if not isinstance(record, dict):
        raise BadSample(key, f"expected a JSON object, found {type(record).__name__}")
    return record


def field(key: str, record: dict[str, Any], name: str, kind: type) -> Any:
    """A field of a record, checked.

    Raises:
        BadSample: the field is missing or of another type.
    """
    value = record.get(name)
    if not isinstance(value, kind):
        found = "nothing" if value is None else type(value).__name__
        raise BadSample(key, f"field {name!r}: expected {kind.__name__}, found {found}")
    return value


def inside(key: str, root: Path, name: str) -> Path:
    """A path below ``root``.

    Raises:
        BadSample: the name leads out of ``root``.
    """
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise BadSample(key, f"picture {name!r} lies outside the corpus")
    return root / relative


_HASHES: dict[tuple[str, int, int], str] = {}


def file_hash(path: Path) -> str:
    """SHA-256 of a file's size and content; computed once while size and time stay the same.

    A file above ``HASHED_WHOLE`` bytes is represented by ``HASHED_BLOCKS`` blocks at equal spacing,
    the first and the last included: hashing terabytes would take longer than training on them.

    Raises:
        OSError: the file cannot be read.
    """
    status = path.stat()
    known = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if known not in _HASHES:
        digest = hashlib.sha256(str(status.st_size).encode())
        with path.open("rb") as file:
            if status.st_size <= HASHED_WHOLE:
                while block := file.read(HASHED_BLOCK):
                    digest.update(block)
            else:
                spacing = (status.st_size - HASHED_BLOCK) / (HASHED_BLOCKS - 1)
                for number in range(HASHED_BLOCKS):
                    file.seek(int(number * spacing), io.SEEK_SET)
                    digest.update(file.read(HASHED_BLOCK))
        _HASHES[known] = digest.hexdigest()
    return _HASHES[known]


def fingerprint(kind: str, files: Iterable[Path], pictures: Path | None = None) -> str:
    """Fingerprint of a corpus.

    Args:
        kind: its format.
        files: hashed by name and content.
        pictures: folder of which names and sizes, not contents, are hashed.
    """
    digest = hashlib.sha256(kind.encode())
    for path in files:
        digest.update(f"\n{path.name} {file_hash(path)}".encode())
    if pictures is not None and pictures.is_dir():
        for path in sorted(pictures.rglob("*")):
            if path.is_file():
                digest.update(f"\n{path.relative_to(pictures)} {path.stat().st_size}".encode())
    return digest.hexdigest()
