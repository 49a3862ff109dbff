"""Opcodes of Python's pickles: where the argument of each ends, and which are refused."""

import pickle
from dataclasses import dataclass
from typing import Literal, Protocol

LONGEST_LINE = 1 << 28
"""Bytes of an argument that ends with its line, at most."""


class Bytes(Protocol):
    """A file's content: bytes, or a memory map."""

    def __len__(self) -> int:
        """Bytes."""
        ...

    def __getitem__(self, index: slice, /) -> bytes:
        """Some of them."""
        ...

    def find(self, sub: bytes, start: int, end: int, /) -> int:
        """Where ``sub`` begins; -1: nowhere."""
        ...


class Broken(Exception):
    """A pickle that ends too early, is damaged, or holds more than is taken on.

    Attributes:
        offset: byte at which this is seen.
        reason: what is wrong.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"byte {offset:,}: {reason}")
        self.offset = offset
        self.reason = reason


class Refused(Broken):
    """A pickle that asks for more than plain values: nothing of it is run or built."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How an opcode's argument is written: ``size`` bytes, a count of them, or lines."""

    name: str
    kind: Literal["bytes", "counted", "line", "lines"] = "bytes"
    size: int = 0


def _table() -> dict[int, _Form]:
    plain = (
        "MARK STOP POP POP_MARK DUP NONE NEWTRUE NEWFALSE EMPTY_LIST EMPTY_TUPLE EMPTY_DICT"
        " EMPTY_SET APPEND APPENDS LIST TUPLE TUPLE1 TUPLE2 TUPLE3 DICT SETITEM SETITEMS ADDITEMS"
        " FROZENSET MEMOIZE REDUCE BUILD OBJ NEWOBJ NEWOBJ_EX STACK_GLOBAL BINPERSID NEXT_BUFFER"
        " READONLY_BUFFER"
    )
    forms = {name: _Form(name) for name in plain.split()}
    for name, size in {
        "PROTO": 1, "FRAME": 8, "BININT": 4, "BININT1": 1, "BININT2": 2, "BINFLOAT": 8,
        "BINGET": 1, "LONG_BINGET": 4, "BINPUT": 1, "LONG_BINPUT": 4,
        "EXT1": 1, "EXT2": 2, "EXT4": 4,
    }.items():  # fmt: skip
        forms[name] = _Form(name, "bytes", size)
    for name, size in {
        "LONG1": 1, "LONG4": 4, "SHORT_BINSTRING": 1, "BINSTRING": 4, "SHORT_BINUNICODE": 1,
        "BINUNICODE": 4, "BINUNICODE8": 8, "SHORT_BINBYTES": 1, "BINBYTES": 4, "BINBYTES8": 8,
        "BYTEARRAY8": 8,
    }.items():  # fmt: skip
        forms[name] = _Form(name, "counted", size)
    for name in ("INT", "LONG", "FLOAT", "STRING", "UNICODE", "GET", "PUT", "PERSID"):
        forms[name] = _Form(name, "line")
    for name in ("GLOBAL", "INST"):
        forms[name] = _Form(name, "lines")
    return {getattr(pickle, name)[0]: form for name, form in forms.items()}


FORMS = _table()

REFUSED = frozenset(
    code
    for code, form in FORMS.items()
    if form.name
    in {
        "GLOBAL", "INST", "STACK_GLOBAL", "REDUCE", "BUILD", "OBJ", "NEWOBJ", "NEWOBJ_EX",
        "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER",
    }
)  # fmt: skip
"""Opcodes that import, call, or take something from outside of the file."""


def argument(data: Bytes, at: int, code: int) -> tuple[int, int, int]:
    """Where the argument of the opcode at byte ``at`` starts and ends, and where the next one is.

    Lines come without their end; the two of ``GLOBAL`` and ``INST`` as one range.

    Raises:
        Broken: there is no such opcode, or the file ends within the argument.
    """
    form = FORMS.get(code)
    if form is None:
        raise Broken(at, f"no opcode of a pickle: {code:#04x}")
    start = at + 1
    if form.kind == "bytes":
        end = after = start + form.size
    elif form.kind == "counted":
        # Sizes of 8 bytes are unsigned; signed ones of 4 that are negative point beyond the file.
        size = int.from_bytes(data[start : start + form.size], "little")
        start += form.size
        end = after = start + size
    else:
        end = _line_end(data, start)
        if form.kind == "lines" and end >= 0:
            end = _line_end(data, end + 1)
        after = end + 1
        if end < 0:
            raise Broken(at, f"the file ends within the line of {form.name}")
    if after > len(data):
        missing = after - len(data)
        raise Broken(at, f"the file ends within {form.name}: {missing:,} bytes are missing")
    return start, end, after


def _line_end(data: Bytes, start: int) -> int:
    return data.find(b"\n", start, min(len(data), start + LONGEST_LINE))
