"""Tar archives by offset: what is damaged is reported, what is whole is still found."""

import hashlib
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vilax.data.formats.files import Files
from vilax.data.storage import RemoteBytes, RemotePlace

BLOCK = 512
LONGEST_NAME = 1 << 16
GZIP = b"\x1f\x8b"
PLAIN_KINDS = (b"\0", b"0")
LINKS = (b"1", b"2")


class Member(NamedTuple):
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
    if isinstance(path, RemotePlace):
        yield from _members(RemoteBytes(path), size)
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield from _members(data, size)


def _members(data: mmap.mmap | RemoteBytes, size: int) -> Iterator[Member]:
    if data[:2] == GZIP:
        yield Member("", 0, 0, "the archive is compressed (gzip); expected a plain tar")
        return
    plain = None if isinstance(data, RemoteBytes) else _plain(data, size)
    yield from _scan(data, size) if plain is None else plain


def split_name(name: str) -> tuple[str, str]:
    """Key and extension: the file's name is cut at its first dot (WebDataset's rule)."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower()


_HEADER = struct.Struct("100s24x12s12x6s2xc100x5s83xc")
"""Name, size, checksum, kind, magic, and the first byte of the prefix."""


def _plain(data: mmap.mmap, total: int) -> list[Member] | None:
    """Members of an archive without anything unusual; None if there is, or may be.

    Checksums of headers are added up together, which is what makes it quick.
    """
    found: list[Member] = []
    stored: list[bytes] = []
    position = 0
    while position + BLOCK <= total:
        name, digits, checksum, kind, magic, prefix = _HEADER.unpack_from(data, position)
        if magic != b"ustar":
            if any(data[position : position + BLOCK]):
                return None
            break
        try:
            size = int(digits[:11], 8)
            text = name.rstrip(b"\0").decode()
        except ValueError:
            return None
        position += BLOCK
        if size < 0 or position + size > total or kind not in PLAIN_KINDS or prefix != b"\0":
            return None
        if not text or "\0" in text or ".." in text or text[0] == "/":
            return None
        found.append(Member(text, position, size))
        stored.append(checksum)
        position += (size + BLOCK - 1) // BLOCK * BLOCK
    else:
        if position != total:
            return None
    return found if _checked(data, found, stored) else None


def _checked(data: mmap.mmap, found: list[Member], stored: list[bytes]) -> bool:
    """Whether the checksum of every member's header is right."""
    whole = np.frombuffer(data, dtype=np.uint8)
    try:
        for first in range(0, len(found), 4096):
            starts = np.array([m.offset - BLOCK for m in found[first : first + 4096]])
            headers = whole[starts[:, None] + np.arange(BLOCK)]
            sums = headers.sum(axis=1, dtype=np.uint32)
            sums += 8 * 32 - headers[:, 148:156].sum(axis=1, dtype=np.uint32)
            said = b"".join(stored[first : first + 4096])
            digits = np.frombuffer(said, dtype=np.uint8).reshape(-1, 6).astype(np.int64) - 48
            if (digits < 0).any() or (digits > 7).any():
                return False
            if (digits @ (8 ** np.arange(5, -1, -1)) != sums).any():
                return False
        return True
    finally:
        # A map cannot be closed while an array looks at it.
        del whole


def _scan(data: mmap.mmap | RemoteBytes, total: int) -> Iterator[Member]:
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
            name = long_name or header_name(header)
            if kind in b"\0" + b"07":
                fault = "" if start + size <= total else "the archive ends within this file"
                if ".." in name.split("/") or name.startswith("/"):
                    fault = f"its name {name!r} lies outside of the archive"
                yield Member(name, start, size, fault)
            elif kind in LINKS:
                yield Member(name, start, 0, "a link, not a file")
                size = 0
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


def _next_header(data: mmap.mmap | RemoteBytes, position: int, total: int) -> int:
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
