"""Plain values out of a pickled list, one by one, and nothing else.

Python's own ``pickle`` calls whatever a file names, and holds a whole shard in memory. Here a first
pass over the opcodes, which skips all content, finds what is referred to more than once; the second
builds item after item (:mod:`~vilax.data.convert.machine`) and keeps that alone.
"""

import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vilax.data.convert.machine import Machine
from vilax.data.convert.opcodes import FORMS, REFUSED, Broken, Bytes, Refused, argument
from vilax.data.convert.scalars import number

__all__ = ["Broken", "Refused", "items"]

REFERENCES = 2_000_000
"""Distinct values that are referred to again, at most."""

_GROUPS = frozenset(code for code, form in FORMS.items() if form.name.startswith(("TUPLE", "LIST")))


def items(
    path: Path, first_only: bool = False, watch: Callable[[int], None] = lambda done: None
) -> Iterator[Any]:
    """Items of the list that a file holds, in order; each is let go before the next is built.

    Args:
        path: a pickle of any protocol.
        first_only: end after the first one, without a pass over the file.
        watch: told how many bytes are done, before each item.

    Yields:
        Plain values.

    Raises:
        Refused: the file asks for a global, a call, an extension or a persistent object. Items
            before that place may have come.
        Broken: it ends too early, is damaged, holds no list, is followed by something, or a limit
            is exceeded. Whole items before that place have come.
        OSError: it cannot be read.
    """
    if path.stat().st_size == 0:
        raise Broken(0, "the file is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        wanted, has_groups = (None, False) if first_only else _look_over(data)
        machine = Machine(data, wanted, has_groups)
        for item in machine.run():
            watch(machine.at)
            yield item
            if first_only:
                return


def _look_over(data: Bytes) -> tuple[set[int], bool]:
    """Numbers of the memo that are asked for, and whether values are gathered behind a mark into
    anything but a dict; both up to the first fault."""
    found: set[int] = set()
    has_groups = False
    at, size = 0, len(data)
    binary, line, stop = frozenset(b"hj"), b"g"[0], b"."[0]
    while at < size:
        code = data[at : at + 1][0]
        try:
            start, end, after = argument(data, at, code)
            if code in binary:
                found.add(int.from_bytes(data[start:end], "little"))
            elif code == line:
                found.add(number(data[start:end], at))
            elif code in _GROUPS:
                has_groups = True
        except Broken:
            break
        if code == stop or code in REFUSED:
            break
        if len(found) > REFERENCES:
            raise Broken(at, f"more than {REFERENCES:,} values are referred to again")
        at = after
    return found, has_groups
