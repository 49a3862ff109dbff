"""The best so many of very many numbers, exactly and in little memory."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64, UInt64

CHUNK = 1 << 20
"""Numbers that are looked at together."""

DIGIT = 16
"""Bits by which the cut is narrowed in each pass."""


def ordered(numbers: Float64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Unsigned integers in the order of the numbers (IEEE 754: flip all bits below 0, else the
    sign)."""
    bits = (numbers + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def mixed(indexes: UInt64[np.ndarray, " n"], seed: int) -> UInt64[np.ndarray, " n"]:
    """A random number for each index, the same for a seed (the finaliser of SplitMix64)."""
    start = np.uint64((seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % 2**64)
    with np.errstate(over="ignore"):
        z = (indexes + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + start
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def chunks(total: int) -> Iterator[slice]:
    """Slices that cover ``total`` numbers."""
    for start in range(0, total, CHUNK):
        yield slice(start, min(total, start + CHUNK))


def best(keys: UInt64[np.ndarray, " n"], count: int) -> Iterator[UInt64[np.ndarray, " some"]]:
    """Places of the ``count`` largest keys, ascending, in portions; of equal ones the first.

    Reads the keys (which may be a memory map) five times, ``CHUNK`` at a time.

    Args:
        keys: what is ranked.
        count: how many; at most as many as there are.
    """
    prefix, left = 0, count
    for shift in range(64 - DIGIT, -1, -DIGIT):
        counts = np.zeros(1 << DIGIT, dtype=np.int64)
        for part in chunks(len(keys)):
            some = np.asarray(keys[part])
            if shift < 64 - DIGIT:
                some = some[(some >> np.uint64(shift + DIGIT)) == np.uint64(prefix)]
            digits = (some >> np.uint64(shift)) & np.uint64((1 << DIGIT) - 1)
            counts += np.bincount(digits.astype(np.int64), minlength=1 << DIGIT)
        above = np.cumsum(counts[::-1])
        place = int(np.searchsorted(above, left))
        left -= int(above[place - 1]) if place else 0
        prefix = (prefix << DIGIT) | ((1 << DIGIT) - 1 - place)
    cut = np.uint64(prefix)
    for part in chunks(len(keys)):
        some = np.asarray(keys[part])
        chosen = some > cut
        ties = np.flatnonzero(some == cut)[:left]
        left -= len(ties)
        chosen[ties] = True
        yield np.flatnonzero(chosen).astype(np.uint64) + np.uint64(part.start)
