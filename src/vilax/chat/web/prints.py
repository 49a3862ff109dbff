"""Pictures as the page shows them."""

import hashlib
from pathlib import Path

from vilax.data.decoding import decode
from vilax.data.document import Image

SIDE = 480
"""Longest side of a picture on the page, in pixels."""


class Prints:
    """Small PNGs, each written once; any browser shows them, whatever the file was.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, picture: Image) -> Path:
        """File of a picture: upright, on white, first frame, as training reads it.

        Raises:
            BadSample: it cannot be decoded.
        """
        path = self._folder / f"{hashlib.sha256(picture.data).hexdigest()[:24]}.png"
        if not path.exists():
            shown = decode(picture.data)
            shown.thumbnail((SIDE, SIDE))
            shown.save(path)
        return path
