"""Draws that depend on a key alone: the same on every machine, in every order of evaluation."""

import hashlib
from collections.abc import Iterator


def drawn(key: str, count: int) -> Iterator[int]:
    """The numbers below ``count`` in an order drawn by ``key``, each once.

    A shuffle (Fisher and Yates) that is done only as far as it is read: the first few of 400,000
    cost no more than the first few of ten, and fewer are a prefix of more. Its random numbers are
    sha256 of key and step, which no version of a library changes.
    """
    moved: dict[int, int] = {}
    for step in range(count):
        digest = hashlib.sha256(f"{key}/{step}".encode()).digest()
        other = step + int.from_bytes(digest[:8], "big") % (count - step)
        yield moved.get(other, other)
        moved[other] = moved.pop(step, step)
