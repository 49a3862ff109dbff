"""Perceptual hashes of pictures: alike after resizing and encoding again."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt64

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 32
"""Pictures are reduced to so many grey pixels a side."""

LOW = 8
"""Frequencies a side that make up the hash; its 64 bits are 8 x 8 of them."""

FLAT = 4.0
"""Standard deviation of grey levels, below which a picture shows too little to be told by."""


@dataclass(frozen=True)
class Look:
    """A picture as it is compared.

    Attributes:
        bits: 64 bits: which low frequencies of its brightness are above their median.
        small: 32 x 32 grey levels, of mean 0 and norm 1.
        is_flat: whether it shows too little to be told by.
    """

    bits: int
    small: Float32[np.ndarray, "32 32"]
    is_flat: bool


def _cosines() -> Float32[np.ndarray, "8 32"]:
    """Rows of the type II discrete cosine transform."""
    place = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    return np.cos(np.arange(LOW)[:, None] * place).astype(np.float32)


COSINES = _cosines()


def look(picture: "Image") -> Look:
    """What a decoded picture is compared by.

    The hash is that of Zauner, "Implementation and benchmarking of perceptual image hash functions"
    (2010): 8 x 8 low frequencies of a 32 x 32 grey picture against their median, here without the
    constant one, whose bit is always 0.
    """
    import PIL.Image

    grey = picture.convert("L").resize((SIDE, SIDE), PIL.Image.Resampling.BOX)
    levels = np.asarray(grey, dtype=np.float32)
    frequencies = (COSINES @ levels @ COSINES.T).ravel()
    above = frequencies > np.median(frequencies[1:])
    above[0] = False
    bits = int.from_bytes(np.packbits(above).tobytes(), "big")
    centred = levels - levels.mean()
    norm = float(np.linalg.norm(centred))
    is_flat = norm < FLAT * SIDE
    return Look(bits, centred / norm if norm else centred, is_flat)


def near(hashes: UInt64[np.ndarray, " n"], wanted: int, distance: int) -> list[tuple[int, int]]:
    """Places and distances of all hashes at most ``distance`` bits from another, by place.

    Every hash is compared: 100,000 take a tenth of a millisecond, less than a lookup by bands.
    """
    away = np.bitwise_count(hashes ^ np.uint64(wanted))
    return [(int(place), int(away[place])) for place in np.flatnonzero(away <= distance)]
