"""Encoded pictures that are broken, or odd but usable, by name."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import PIL.Image

SIDE = 48


def noise(seed: int = 0, side: int = SIDE) -> PIL.Image.Image:
    """A picture that does not compress, so that a cut falls into its pixels."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    return PIL.Image.fromarray(pixels)


def encoded(picture: PIL.Image.Image, form: str, **options: object) -> bytes:
    """A picture's file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes, *, end: bool = True
) -> bytes:
    """A png written by hand."""

    def part(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows))
    return whole + (part(b"IEND", b"") if end else b"")


def exif(orientation: int) -> PIL.Image.Exif:
    """EXIF data with an orientation alone."""
    found = PIL.Image.Exif()
    found[0x0112] = orientation
    return found


def _half(form: str) -> bytes:
    data = encoded(noise(), form)
    return data[: len(data) // 2]


def _cut_with_preview() -> bytes:
    # The preview's own end marker lies before the cut.
    preview = encoded(noise(side=8), "JPEG")
    data = encoded(noise(), "JPEG")
    part = b"Exif\0\0" + preview
    head = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(part) + 2) + part
    return head + data[2 : len(data) // 2]


def _zero_filled() -> bytes:
    data = encoded(noise(), "JPEG")
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


def _flipped_png() -> bytes:
    data = bytearray(encoded(noise(), "PNG"))
    data[len(data) // 2] ^= 0x10
    return bytes(data)


def _jpeg_claiming(width: int, height: int) -> bytes:
    data = bytearray(encoded(noise(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _bmp_cut() -> bytes:
    return _half("BMP")


def _gif_claiming(width: int, height: int) -> bytes:
    data = bytearray(encoded(noise(), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def _webp_claiming(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    content = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    content += encoded(noise(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _tables_gone() -> bytes:
    data = encoded(noise(), "JPEG")
    while (at := data.find(b"\xff\xdb")) > 0:
        size = struct.unpack(">H", data[at + 2 : at + 4])[0]
        data = data[:at] + data[at + 2 + size :]
    return data


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "jpeg cut": (lambda: _half("JPEG"), "cut short"),
    "jpeg cut behind its preview": (_cut_with_preview, "cut short"),
    "jpeg with zeros for its second half": (_zero_filled, "cut short"),
    "jpeg of a header": (lambda: encoded(noise(), "JPEG")[:20], "cut short"),
    "jpeg without tables": (_tables_gone, "decoded"),
    "png cut": (lambda: _half("PNG"), "cut short"),
    "png without end": (lambda: png(2, 1, 8, 2, b"\0" * 7, end=False), "cut short"),
    "png with a changed byte": (_flipped_png, "checksum"),
    "png of width 0": (lambda: png(0, 4, 8, 2, b"\0" * 4), "0 x 4 pixels"),
    "webp cut": (lambda: _half("WEBP"), "cut short"),
    "gif cut": (lambda: _half("GIF"), "decoded"),
    "tiff cut": (lambda: _half("TIFF"), "decoded"),
    "bmp cut": (_bmp_cut, "cut short"),
    "nothing": (lambda: b"", "empty"),
    "a page of HTML": (lambda: b"\n<!DOCTYPE html><html><body>404</body></html>", "HTML"),
    "a line of text": (lambda: b"Not found\n", "text"),
    "a message in JSON": (lambda: json.dumps({"error": "forbidden"}).encode(), "JSON"),
    "zeros": (lambda: bytes(4096), "zeros"),
    "random bytes": (lambda: b"\x01" + np.random.default_rng(3).bytes(999), "not a picture"),
    "png of 30,000 x 30,000": (lambda: png(30000, 30000, 8, 2, b"\0" * 9), "30000 x 30000 pixels"),
    "jpeg of 65,500 x 65,500": (lambda: _jpeg_claiming(65500, 65500), "65500 x 65500 pixels"),
    "gif of 65,535 x 65,535": (lambda: _gif_claiming(65535, 65535), "65535 x 65535 pixels"),
    "webp of 16,000 x 16,000": (lambda: _webp_claiming(16000, 16000), "16000 x 16000 pixels"),
    "PostScript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run\n", "PostScript"),
    "a Photoshop file": (lambda: b"8BPS\0\1" + bytes(60), "Photoshop"),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "AVIF": (lambda: b"\0\0\0\x1cftypavif" + bytes(60), "AVIF"),
    "a pointer of git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "git LFS"),
}
"""What to write, and what the reason must say; none of them may be used."""


def _apng() -> bytes:
    return encoded(noise(), "PNG", save_all=True, append_images=[noise(1), noise(2)])


def _clear_palette() -> bytes:
    picture = PIL.Image.new("P", (SIDE, SIDE), 0)
    picture.putpalette([200, 0, 0, 0, 200, 0])
    picture.paste(1, (0, 0, SIDE // 2, SIDE))
    return encoded(picture, "PNG", transparency=bytes([0, 255]))


def _deep() -> bytes:
    grey = np.linspace(0, 65535, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)
    return encoded(PIL.Image.fromarray(grey), "PNG")


ODD: dict[str, tuple[Callable[[], bytes], str]] = {
    "jpeg on its side": (lambda: encoded(noise(), "JPEG", exif=exif(6)), "EXIF orientation"),
    "jpeg in CMYK": (lambda: encoded(noise().convert("CMYK"), "JPEG"), "CMYK"),
    "png of 16 bits": (_deep, "16 bits"),
    "png of a clear palette": (_clear_palette, "transparency"),
    "moving gif": (
        lambda: encoded(noise(), "GIF", save_all=True, append_images=[noise(1)]),
        "frames",
    ),
    "moving webp": (
        lambda: encoded(noise(), "WEBP", save_all=True, append_images=[noise(1)]),
        "frames",
    ),
    "moving png": (_apng, "frames"),
    "tiff of two pages": (
        lambda: encoded(noise(), "TIFF", save_all=True, append_images=[noise(1)]),
        "pages",
    ),
    "two jpegs in one (MPO)": (
        lambda: encoded(noise(), "MPO", save_all=True, append_images=[noise(1)]),
        "several pictures",
    ),
    "jpeg with bytes behind it": (
        lambda: encoded(noise(), "JPEG") + b"garbage" * 9,
        "behind the picture's end",
    ),
}
"""What to write, and what the note must say; each of them is used."""


@cache
def broken(name: str) -> bytes:
    """One of ``BROKEN``."""
    return BROKEN[name][0]()


@cache
def odd(name: str) -> bytes:
    """One of ``ODD``."""
    return ODD[name][0]()
