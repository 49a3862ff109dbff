"""Tar archives by offset: what is damaged is reported, what is whole is still found."""

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vilax.data.formats.files import Files

BLOCK = 512
LONGEST_NAME = 1 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    Attributes:
        name: path within the archive.
        offset: first byte of its content.
        size: bytes of its content.
        fault: what is wrong with it; empty if nothing is.
    """

    name: str
    offset: int
    size: int
    fault: str = ""


def members(path: Path) -> Iterator[Member]:
    """Regular files of an uncompressed tar, in order (ustar, GNU long names, pax).

    After a damaged header the search goes on at the next block that holds a whole one; the damage
    itself comes as a member with a ``fault``.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size == 0:
        yield Member("", 0, 0, "the archive is empty")
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield from _scan(data, size)


def _scan(data: mmap.mmap, total: int) -> Iterator[Member]:
    position = 0
    long_name = ""
    long_size: int | None = None
    while position + BLOCK <= total:
        header = data[position : position + BLOCK]
        if not _whole(header):
            if header.count(0) == BLOCK:
                return
            yield Member("", position, 0, f"damaged tar header at byte {position}")
            position = _next_header(data, position + BLOCK, total)
            long_name, long_size = "", None
            continue
        size = _number(header[124:136])
        kind = header[156:157]
        start = position + BLOCK
        if kind == b"L":
            long_name = _text(data[start : start + min(size, LONGEST_NAME)])
        elif kind == b"x":
            pax = _pax(data[start : start + min(size, LONGEST_NAME)])
            long_name = pax.get("path", "")
            long_size = int(pax["size"]) if pax.get("size", "").isdigit() else None
        else:
            if long_size is not None:
                size = long_size
            if kind in b"\0" + b"07":
                name = long_name or header_name(header)
                fault = "" if start + size <= total else "the archive ends within this file"
                yield Member(name, start, size, fault)
            long_name, long_size = "", None
        position = start + -(-size // BLOCK) * BLOCK
    if position == total:
        return
    yield Member("", position, 0, "the archive is cut short")


def _whole(header: bytes) -> bool:
    try:
        stored = int(header[148:156].split(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        return False
    return stored == sum(header) - sum(header[148:156]) + 8 * 32 and header.count(0) < BLOCK


def _next_header(data: mmap.mmap, position: int, total: int) -> int:
    while position + BLOCK <= total:
        header = data[position : position + BLOCK]
        if header[257:262] == b"ustar" and _whole(header):
            return position
        position += BLOCK
    return total


def _number(raw: bytes) -> int:
    if raw[0] & 0x80:
        return int.from_bytes(raw, "big") & ((1 << 88) - 1)
    return int(raw.split(b"\0")[0].strip() or b"0", 8)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "replace")


def header_name(header: bytes) -> str:
    """The name in a header block (its end is missing where a longer name precedes the block)."""
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _pax(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    while raw:
        length, _, _ = raw.partition(b" ")
        if not length.isdigit() or int(length) < len(length) + 2:
            break
        name, _, value = raw[len(length) + 1 : int(length)].partition(b"=")
        found[name.decode("utf-8", "replace")] = value.rstrip(b"\n").decode("utf-8", "replace")
        raw = raw[int(length) :]
    return found


class TarFolder:
    """Files of one tar by name; kept as sorted hashes, not as names."""

    def __init__(self, path: Path) -> None:
        self.files = Files([path])
        rows = [(_key(m.name), m.offset, m.size) for m in members(path) if not m.fault]
        rows.sort()
        self._hashes = np.array([row[0] for row in rows], dtype=np.uint64)
        self._ranges = np.array([row[1:] for row in rows], dtype=np.int64).reshape(-1, 2)

    def get(self, name: str) -> bytes | None:
        """Content of the file ``name``; None if there is none."""
        wanted = np.uint64(_key(name))
        place = int(np.searchsorted(self._hashes, wanted))
        if place == len(self._hashes) or self._hashes[place] != wanted:
            return None
        offset, size = self._ranges[place].tolist()
        return self.files.read(0, offset, size)


def _key(name: str) -> int:
    plain = name.removeprefix("./").removeprefix("images/")
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest(), "big")
