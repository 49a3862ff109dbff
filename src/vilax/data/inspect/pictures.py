"""Pictures as the encoder gets them, small enough for a page."""

import base64
import hashlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vilax.data.decoding import header
from vilax.data.images import ImageTransform

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8
    from PIL.Image import Image

BUDGET = 5_000_000
"""Bytes that the pictures of a page may take; beyond, all are shown smaller."""

SIDES = (336, 224, 160, 112, 80, 56)
"""Sides that are tried in turn where pictures take too much, in pixels."""

QUALITY = 85


@dataclass(frozen=True)
class Printed:
    """A picture on the page.

    Attributes:
        uri: its pixels after preprocessing, as a data URI.
        kind: file format it came in.
        width: width of the file, in pixels.
        height: height of the file, in pixels.
        bytes: size of the file.
    """

    uri: str
    kind: str
    width: int
    height: int
    bytes: int


class Album:
    """Distinct pictures, numbered from 0 in the order they come."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._files: list[bytes] = []

    def __len__(self) -> int:
        return len(self._files)

    def add(self, picture: bytes) -> int:
        """Number of a picture; the same bytes have the same."""
        digest = hashlib.sha256(picture).digest()
        if digest not in self._numbers:
            self._numbers[digest] = len(self._files)
            self._files.append(picture)
        return self._numbers[digest]

    def printed(
        self,
        transform: ImageTransform,
        budget: int = BUDGET,
        tick: Callable[[], None] = lambda: None,
    ) -> tuple[list[Printed], int]:
        """Every picture after preprocessing, and the side at which it is shown.

        Pixels are those before normalisation, which takes nothing from them; WebP loses a little.
        The views of a picture in tiles stand side by side, in their order.

        Args:
            transform: what the encoder's pictures go through.
            budget: bytes for all pictures.
            tick: called for each picture that is done.

        Raises:
            BadSample: a picture cannot be decoded.
        """
        squares = []
        for data in self._files:
            squares.append(_square(transform.squared(data)[0], transform.size))
            tick()
        uris: list[str] = []
        side = transform.size
        for side in (transform.size, *(s for s in SIDES if s < transform.size)):
            uris = [_uri(square, side) for square in squares]
            if sum(map(len, uris)) <= budget:
                break
        facts = [header(data) for data in self._files]
        printed = [
            Printed(uri, *fact, len(data))
            for uri, fact, data in zip(uris, facts, self._files, strict=True)
        ]
        return printed, side


def _square(pixels: "UInt8[np.ndarray, '*views 3 size size']", size: int) -> "Image":
    """A picture as the encoder gets it; its views, smaller, in rows of a square."""
    import numpy as np
    import PIL.Image

    if pixels.ndim == 3:
        return PIL.Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    across = math.ceil(math.sqrt(len(pixels)))
    square = PIL.Image.new("RGB", (across * size, across * size))
    for number, view in enumerate(pixels):
        place = (number % across * size, number // across * size)
        square.paste(PIL.Image.fromarray(np.ascontiguousarray(view.transpose(1, 2, 0))), place)
    return square.resize((size, size), PIL.Image.Resampling.LANCZOS)


def _uri(square: "Image", side: int) -> str:
    import PIL.Image

    if side != square.width:
        square = square.resize((side, side), PIL.Image.Resampling.LANCZOS)
    file = io.BytesIO()
    square.save(file, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
