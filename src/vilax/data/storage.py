"""Where data lies: local paths, and places on S3 or behind HTTP that are used like them."""

import hashlib
import re
import time
from collections.abc import Iterator
from functools import total_ordering
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from vilax.config.errors import ConfigError

SECONDS = 30.0
"""A server that says nothing for so long is asked again."""

TRIES = 3
WAITS = 0.5
"""Seconds before the second try; twice as many before each further one."""

_NUMBERS = re.compile(r"\{(\d+)\.\.(\d+)\}")


class Status(NamedTuple):
    """Size in bytes, and a number that changes with the content."""

    st_size: int
    st_mtime_ns: int


@total_ordering
class RemotePlace:
    """A file or folder behind an address, with those methods of ``Path`` that readers use.

    Credentials come from the environment (or what the storage's own configuration says), never from
    the address. Every request has a time limit and is tried again; what fails then is an
    ``OSError`` that names the place.

    Args:
        address: ``s3://...``, ``http://...`` or another that fsspec knows. ``{000..009}`` in it
            stands for a folder of so many files, which a web server cannot list.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._status: dict[str, Any] | None = None

    def __str__(self) -> str:
        return self.address

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePlace) and self.address == other.address

    def __lt__(self, other: "RemotePlace") -> bool:
        return self.address < other.address

    def __hash__(self) -> int:
        return hash(self.address)

    def __truediv__(self, name: str | Path) -> "RemotePlace":
        return RemotePlace(f"{self.address}/{name}")

    @property
    def name(self) -> str:
        """Last part of the address."""
        return self.address.partition("?")[0].rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """Ending of the name, with its dot."""
        return Path(self.name).suffix

    @property
    def stem(self) -> str:
        """Name without its ending."""
        return Path(self.name).stem

    @property
    def parent(self) -> "RemotePlace":
        """The folder."""
        return RemotePlace(self.address.rpartition("/")[0])

    def resolve(self) -> "RemotePlace":
        """Itself: an address has no links."""
        return self

    def is_relative_to(self, other: "RemotePlace") -> bool:
        """Whether it lies below another place."""
        return self.address.startswith(f"{other.address}/")

    def expanded(self) -> "list[RemotePlace] | None":
        """The files that ``{000..009}`` stands for; None if nothing of the kind is there."""
        found = _NUMBERS.search(self.address)
        if found is None:
            return None
        first, last = found.groups()
        return [
            RemotePlace(self.address.replace(found.group(), f"{n:0{len(first)}d}", 1))
            for n in range(int(first), int(last) + 1)
        ]

    def exists(self) -> bool:
        """Whether anything is there."""
        several = self.expanded()
        return several[0].exists() if several else self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Whether it is a file."""
        try:
            return bool(self._info().get("type") == "file")
        except OSError:
            return False

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        if self.expanded() is not None:
            return True
        try:
            return bool(self._info().get("type") == "directory")
        except OSError:
            return False

    def iterdir(self) -> "Iterator[RemotePlace]":
        """What lies in a folder."""
        several = self.expanded()
        if several is not None:
            yield from several
            return
        scheme = self.address.partition("://")[0]
        for name in self._tried(lambda fs, path: fs.ls(path, detail=False)):
            place = RemotePlace(name if "://" in name else f"{scheme}://{name}")
            if place != self:
                yield place

    def glob(self, pattern: str) -> "list[RemotePlace]":
        """Files of a folder whose names end as ``*.ending`` says; none if it cannot be listed."""
        if not self.is_dir():
            return []
        return [place for place in self.iterdir() if place.name.endswith(pattern.lstrip("*"))]

    def rglob(self, pattern: str) -> "list[RemotePlace]":
        """None: remote folders are not walked."""
        return []

    def stat(self) -> Status:
        """Size, and a number made of what the storage says of the content.

        Raises:
            OSError: there is no such file, or it cannot be asked for.
        """
        info = self._info()
        marks = [str(info.get(n)) for n in ("ETag", "etag", "LastModified", "mtime", "md5")]
        digest = hashlib.sha256(" ".join(marks).encode()).digest()
        return Status(int(info["size"] or 0), int.from_bytes(digest[:6], "big"))

    def open(self, mode: str = "rb", buffering: int = -1) -> BinaryIO:
        """The content as a file that can be read and searched."""
        file: BinaryIO = self._tried(lambda fs, path: fs.open(path, "rb"))
        return file

    def read_bytes(self) -> bytes:
        """The whole content."""
        data: bytes = self._tried(lambda fs, path: fs.cat_file(path))
        return data

    def read_range(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer at the end."""
        if size <= 0:
            return b""
        end = offset + size
        data: bytes = self._tried(lambda fs, path: fs.cat_file(path, start=offset, end=end))
        return data[:size]

    def _info(self) -> dict[str, Any]:
        if self._status is None:
            self._status = self._tried(lambda fs, path: fs.info(path))
        return self._status

    def _tried(self, work: Any) -> Any:
        """A request, tried ``TRIES`` times.

        Raises:
            OSError: it failed each time; what is not there is asked for once.
        """
        wait = WAITS
        for number in range(TRIES):
            try:
                fs, path = _filesystem(self.address)
                return work(fs, path)
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{self.address} is not there") from error
            except ImportError as error:
                raise ConfigError(f"{self.address}: {error}") from error
            except Exception as error:
                # Storage libraries raise what they like: time-outs, payload errors, HTTP errors.
                if number == TRIES - 1:
                    said = str(error) or type(error).__name__
                    raise OSError(f"{self.address} cannot be read: {said}") from error
                time.sleep(wait)
                wait *= 2
        raise AssertionError


def _filesystem(address: str) -> tuple[Any, str]:
    """Looked up at each request: instances do not survive a fork, and fsspec keeps them."""
    import fsspec

    scheme = address.partition("://")[0]
    options: dict[str, Any] = {}
    if scheme in ("http", "https"):
        import aiohttp

        options = {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=SECONDS)}}
    elif scheme == "s3":
        limits = {"connect_timeout": SECONDS, "read_timeout": SECONDS}
        options = {"config_kwargs": limits | {"retries": {"max_attempts": 1}}}
    fs, path = fsspec.core.url_to_fs(address, **options)
    return fs, path


Place = Path | RemotePlace
"""Where a file or folder lies."""


def place(text: str) -> Any:
    """A local path, or the place behind an address; typed loosely, for both are used alike."""
    return RemotePlace(text) if "://" in text else Path(text).expanduser()


class RemoteBytes:
    """Content of a remote file by slices, a block at a time."""

    BLOCK = 1 << 20

    def __init__(self, file: RemotePlace) -> None:
        self._file = file
        self._size = file.stat().st_size
        self._start = 0
        self._block = b""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        first, last, _ = part.indices(self._size)
        if not self._start <= first <= last <= self._start + len(self._block):
            self._start = first
            self._block = self._file.read_range(first, max(self.BLOCK, last - first))
        return self._block[first - self._start : last - self._start]
