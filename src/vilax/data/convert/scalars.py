"""Text, numbers and constants of a pickle, each from the bytes of its opcode's argument."""

import codecs
import struct
from collections.abc import Callable
from typing import Any

from vilax.data.convert.opcodes import Broken

_LONGEST_NUMBER = 1000


def number(raw: bytes, at: int) -> int:
    """An integer written out in decimal.

    Raises:
        Broken: it is none.
    """
    try:
        return int(_short(raw, at).decode("ascii").removesuffix("L"))
    except ValueError as error:
        raise Broken(at, f"not a number: {raw[:40]!r}") from error


def _short(raw: bytes, at: int) -> bytes:
    if len(raw) > _LONGEST_NUMBER:
        raise Broken(at, f"a number of {len(raw):,} bytes")
    return raw


def _int(raw: bytes, at: int) -> int | bool:
    known = {b"00": False, b"01": True}
    return known[raw] if raw in known else number(raw, at)


def _float(raw: bytes, at: int) -> float:
    try:
        return float(_short(raw, at))
    except ValueError as error:
        raise Broken(at, f"not a number: {raw[:40]!r}") from error


def _unsigned(raw: bytes, at: int) -> int:
    return int.from_bytes(raw, "little")


def _signed(raw: bytes, at: int) -> int:
    return int.from_bytes(_short(raw, at), "little", signed=True)


def _binfloat(raw: bytes, at: int) -> float:
    value: float = struct.unpack(">d", raw)[0]
    return value


def _utf8(raw: bytes, at: int) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise Broken(at, f"text that is not UTF-8: {error.reason}") from error


def _escaped(raw: bytes, at: int) -> str:
    try:
        return raw.decode("raw-unicode-escape")
    except UnicodeDecodeError as error:
        raise Broken(at, f"text with a bad escape: {error.reason}") from error


def _either(raw: bytes, at: int) -> str | bytes:
    """Python 2 wrote text and bytes alike."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _quoted(raw: bytes, at: int) -> str | bytes:
    raw = raw.strip()
    if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in (b"'", b'"'):
        raise Broken(at, "text without its quotes")
    try:
        plain: bytes = codecs.escape_decode(raw[1:-1])[0]
    except ValueError as error:
        raise Broken(at, f"text with a bad escape: {error}") from error
    return _either(plain, at)


def _bytes(raw: bytes, at: int) -> bytes:
    return raw


def _constant(value: object) -> Callable[[bytes, int], Any]:
    return lambda raw, at: value


SCALARS: dict[str, Callable[[bytes, int], Any]] = {
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_TUPLE": _constant(()),
    "INT": _int,
    "LONG": number,
    "LONG1": _signed,
    "LONG4": _signed,
    "BININT": _signed,
    "BININT1": _unsigned,
    "BININT2": _unsigned,
    "FLOAT": _float,
    "BINFLOAT": _binfloat,
    "UNICODE": _escaped,
    "SHORT_BINUNICODE": _utf8,
    "BINUNICODE": _utf8,
    "BINUNICODE8": _utf8,
    "STRING": _quoted,
    "SHORT_BINSTRING": _either,
    "BINSTRING": _either,
    "SHORT_BINBYTES": _bytes,
    "BINBYTES": _bytes,
    "BINBYTES8": _bytes,
    "BYTEARRAY8": _bytes,
}
"""Name of an opcode to what makes its value of the argument and of the byte it stands at."""
