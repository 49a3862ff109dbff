"""From an encoded picture to an upright RGB one: what is refused, and what is mended and named."""

import hashlib
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from vilax.data.orientation import exif_orientation, turned
from vilax.data.signatures import claimed_size, fault, kind, trailing

if TYPE_CHECKING:
    from PIL.Image import Image

    from vilax.data.formats.files import BadSample

__all__ = ["MAX_PIXELS", "decode", "decode_noted", "fault", "header"]

MAX_PIXELS = 64_000_000
"""Pixels of a picture; one that claims more is refused before it is decoded."""

PLAIN_MODES = ("RGB", "L", "P", "1", "YCbCr", "CMYK")
"""Pillow's modes that its own conversion turns into RGB rightly."""

ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")


def decode(data: bytes) -> "Image":
    """An RGB picture, as ``decode_noted`` gives it.

    Raises:
        BadSample: it cannot be decoded, or has more than ``MAX_PIXELS`` pixels.
    """
    return decode_noted(data)[0]


def decode_noted(data: bytes) -> "tuple[Image, tuple[str, ...]]":
    """An RGB picture, and what was odd about it and mended.

    Upright by its EXIF orientation; transparency laid on white; the first frame or page of several;
    16 bits a channel reduced to their high byte; CMYK by its plain formula, without colour profile,
    inverted where an Adobe marker says so. Pillow's process-wide settings do not matter: a picture
    cut short is refused also where another library allowed it. Damage that leaves no trace passes:
    a jpeg closed before its last row, a png whose rows end early.

    Raises:
        BadSample: it is no picture of a kind that is read, is cut short or damaged, cannot be
            decoded, or has more than ``MAX_PIXELS`` pixels.
    """
    wrong = fault(data) or _size_fault(claimed_size(data))
    if wrong:
        raise _bad(data, wrong)
    notes: list[str] = []
    try:
        with _settings():
            picture = _rgb(_opened(data), data, notes)
    except Exception as error:
        # A plugin of Pillow may raise anything on damaged content, such as struct.error.
        raise _bad(data, str(error) or type(error).__name__) from error
    extra = trailing(data)
    if extra:
        notes.append(f"{extra:,} bytes behind the picture's end")
    return picture, tuple(notes)


def header(data: bytes) -> tuple[str, int, int]:
    """Kind, width and height of a picture that is not decoded; turned as its EXIF data say.

    Raises:
        BadSample: it is no picture of a kind that is read, or damage is visible.
    """
    if wrong := fault(data):
        raise _bad(data, wrong)
    try:
        with _settings():
            opened = _opened(data)
    except Exception as error:
        raise _bad(data, str(error) or type(error).__name__) from error
    width, height = opened.size
    is_turned = exif_orientation(opened.info.get("exif", b"")) > 4
    return kind(data), *((height, width) if is_turned else (width, height))


def _opened(data: bytes) -> Any:
    """The picture, its size checked, its content not decoded."""
    import PIL.Image

    _plugins()
    opened = PIL.Image.open(io.BytesIO(data), formats=(kind(data),))
    if wrong := _size_fault(opened.size):
        raise ValueError(wrong)
    return opened


def _rgb(opened: Any, data: bytes, notes: list[str]) -> "Image":
    told, info = kind(data), opened.info
    if told != "JPEG" and getattr(opened, "is_animated", False):
        several = "pages: the first is" if told == "TIFF" else "frames: the first is"
        notes.append(f"several {several} used")
    elif opened.format == "MPO":
        notes.append("several pictures in one file: the first is used")
    orientation = 1 if told == "TIFF" else exif_orientation(info.get("exif", b""))
    if told == "TIFF" and opened.tag_v2.get(0x0112, 1) in range(2, 9):
        notes.append("turned by its EXIF orientation")
    if told == "PNG" and data[24] == 16:
        notes.append("16 bits a channel, reduced to 8")
    opened.load()
    mode = opened.mode
    if mode == "RGB" and "transparency" not in info:
        picture = opened
    elif mode in ALPHA_MODES or "transparency" in info:
        picture = _on_white(opened, notes)
    elif mode == "CMYK":
        picture = _from_cmyk(opened, told, notes)
    elif mode in PLAIN_MODES:
        picture = opened.convert("RGB")
    else:
        picture = _from_deep(opened, notes)
    if orientation != 1:
        notes.append("turned by its EXIF orientation")
        picture = turned(picture, orientation)
    return picture  # type: ignore[no-any-return]


def _on_white(opened: Any, notes: list[str]) -> "Image":
    import numpy as np
    import PIL.Image

    clear = opened.info.get("transparency")
    if opened.mode.startswith("I;16"):
        grey = np.asarray(opened)
        high = (grey >> 8).astype(np.uint8)
        notes.append("transparency laid on white")
        return PIL.Image.fromarray(np.where(grey == clear, 255, high).astype(np.uint8)).convert(
            "RGB"
        )
    if isinstance(clear, tuple) and max(clear) > 255:
        # A colour of 16 bits, of which Pillow keeps the high bytes.
        opened.info["transparency"] = tuple(value >> 8 for value in clear)
    layer = opened.convert("RGBA")
    if layer.getchannel("A").getextrema()[0] == 255:
        return layer.convert("RGB")  # type: ignore[no-any-return]
    notes.append("transparency laid on white")
    white = PIL.Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return PIL.Image.alpha_composite(white, layer).convert("RGB")


def _from_cmyk(opened: Any, told: str, notes: list[str]) -> "Image":
    from PIL import ImageChops

    notes.append("converted from CMYK")
    if told == "JPEG" and "adobe" not in opened.info:
        # Pillow takes every jpeg in CMYK for one of Adobe's, which are stored inverted.
        opened = ImageChops.invert(opened)
    return opened.convert("RGB")  # type: ignore[no-any-return]


def _from_deep(opened: Any, notes: list[str]) -> "Image":
    """More than 8 bits a channel: 16 are cut, 32 and floats stretched between their extremes."""
    import numpy as np
    import PIL.Image

    values = np.asarray(opened)
    if values.ndim != 2:
        return opened.convert("RGB")  # type: ignore[no-any-return]
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        if "16 bits a channel, reduced to 8" not in notes:
            notes.append("16 bits a channel, reduced to 8")
        return PIL.Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    notes.append("32 bits a channel, stretched to 8")
    wide = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    least, span = wide.min(), np.ptp(wide)
    stretched = np.round((wide - least) * (255.0 / span if span else 0.0))
    return PIL.Image.fromarray(stretched.astype(np.uint8)).convert("RGB")


def _size_fault(size: tuple[int, int] | None) -> str:
    if size is None:
        return ""
    width, height = size
    if width < 1 or height < 1:
        return f"{width} x {height} pixels"
    if width * height > MAX_PIXELS:
        return f"{width} x {height} pixels, more than {MAX_PIXELS:,}"
    return ""


def _bad(data: bytes, reason: str) -> "BadSample":
    # Readers of videos need this module: imported above, theirs would be half of a circle.
    from vilax.data.formats.files import BadSample

    name = f"picture {hashlib.sha256(data).hexdigest()[:16]}"
    return BadSample(name, f"cannot be decoded: {reason}")


@cache
def _plugins() -> None:
    """Import what is used: otherwise Pillow imports every plugin when it first meets a webp.

    What Pillow says of damaged EXIF data is not shown: it would be a line for each picture.
    """
    from PIL import (  # noqa: F401
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        MpoImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


_LOCK = threading.Lock()
_CHANGED: list[tuple[bool, int | None]] = []
_USERS = [0]


@contextmanager
def _settings() -> Iterator[None]:
    """Pillow's process-wide settings as they must be here, also where others changed them.

    While it lasts, other threads that wanted pictures cut short do not get them.
    """
    import PIL.Image
    from PIL import ImageFile

    with _LOCK:
        _USERS[0] += 1
        limit = PIL.Image.MAX_IMAGE_PIXELS
        if ImageFile.LOAD_TRUNCATED_IMAGES or (limit is not None and limit < MAX_PIXELS):
            _CHANGED.append((ImageFile.LOAD_TRUNCATED_IMAGES, limit))
            ImageFile.LOAD_TRUNCATED_IMAGES, PIL.Image.MAX_IMAGE_PIXELS = False, None
    try:
        yield
    finally:
        with _LOCK:
            _USERS[0] -= 1
            if _CHANGED and not _USERS[0]:
                ImageFile.LOAD_TRUNCATED_IMAGES, PIL.Image.MAX_IMAGE_PIXELS = _CHANGED[0]
                _CHANGED.clear()
