"""Which way up a picture is, by its EXIF data."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION = 0x0112
_SHORT = 3


def exif_orientation(exif: bytes) -> int:
    """The orientation, 2 to 8, that EXIF data state; 1 (upright) where they state none.

    Read by hand: Pillow parses all of the data, and warns or raises where any part is damaged.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "little", b"MM": "big"}.get(exif[:2])
    if order is None or len(exif) < 14:
        return 1
    is_little = order == "little"

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], "little" if is_little else "big")

    start = number(4, 4)
    for entry in range(start + 2, start + 2 + 12 * number(start, 2), 12):
        if entry + 12 > len(exif):
            break
        if number(entry, 2) == _ORIENTATION and number(entry + 2, 2) == _SHORT:
            found = number(entry + 8, 2)
            return found if 2 <= found <= 8 else 1
    return 1


def turned(picture: "Image", orientation: int) -> "Image":
    """The picture upright.

    Args:
        picture: as it is stored.
        orientation: 2 to 8, by EXIF.
    """
    from PIL.Image import Transpose

    ways = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture.transpose(ways[orientation])
