"""Encoded pictures by their bytes alone: kind, claimed size, visible damage."""

import re
import zlib
from typing import Literal

READ = "png, jpeg, webp, bmp, tiff or gif"
"""Kinds of picture that are read; for others Pillow may start programs or has no bounds."""

_OTHERS = (
    (
        re.compile(rb"\s*<(!doctype|html|head|body|script|\?xml[^>]*>\s*<!doctype html)", re.I),
        "HTML",
    ),
    (re.compile(rb"\s*(<\?xml|<svg)", re.I), "XML or SVG"),
    (re.compile(rb"\s*[\[{]\s*[\"\[{\]}]"), "JSON"),
    (re.compile(rb"version https://git-lfs"), "a pointer of git LFS instead of the file"),
    (re.compile(rb"....ftypavi[fs]", re.S), "an AVIF"),
    (re.compile(rb"....ftyp(hei|mif1|msf1)", re.S), "a HEIC"),
    (re.compile(rb"....ftyp", re.S), "a video"),
    (re.compile(rb"8BPS"), "a Photoshop file"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "PostScript"),
    (re.compile(rb"%PDF"), "a PDF"),
    (re.compile(rb"\0\0\0\x0cjP  |\xffO\xffQ"), "a JPEG 2000"),
    (re.compile(rb"PK\x03\x04"), "a zip"),
    (re.compile(rb"\x1f\x8b"), "gzip"),
    (re.compile(rb"\0+\Z"), "zeros"),
    (re.compile(rb"[\x09\x0a\x0d\x20-\x7e]+\Z"), "text"),
)

_LOOKED_AT = 256
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_PNG = b"\x89PNG\r\n\x1a\n"


def kind(data: bytes) -> str:
    """``PNG``, ``JPEG``, ``WEBP``, ``BMP``, ``TIFF`` or ``GIF``; empty for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(_PNG):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    return "BMP" if data.startswith(b"BM") else ""


def fault(data: bytes) -> str:
    """What is visibly wrong with an encoded picture, without decoding it; empty if nothing is.

    Looks at the signature, and at the end or the checksums that a kind has: other content, files
    cut short, and changed bytes of a png are found. Microseconds, or about one for 2 kB of png.
    """
    told = kind(data)
    if told == "JPEG":
        return "" if _jpeg_end(data) else "the jpeg is cut short"
    if told == "PNG":
        return _png_fault(data)
    if told == "WEBP":
        whole = int.from_bytes(data[4:8], "little") + 8 <= len(data) + 1
        return "" if whole else "the webp is cut short"
    if told == "BMP":
        whole = int.from_bytes(data[2:6], "little") <= len(data)
        return "" if whole else "the bmp is cut short"
    if told:
        return ""
    if not data:
        return f"not a picture ({READ}): it is empty"
    found = next((name for form, name in _OTHERS if form.match(data[:_LOOKED_AT])), "")
    return f"not a picture ({READ})" + (f": it is {found}" if found else "")


def trailing(data: bytes) -> int:
    """Bytes behind the end of a jpeg or png, padding left out; 0 for other kinds.

    A jpeg's end is the last one found, so pictures that follow the first one do not count.
    """
    told = kind(data)
    end = _jpeg_end(data) if told == "JPEG" else data.rfind(b"IEND") + 8 if told == "PNG" else 0
    return len(data[end:].strip(b"\0\r\n\t ")) if 0 < end < len(data) else 0


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that the header claims; None where only decoding tells (tiff, damage)."""
    told = kind(data)
    if told == "JPEG":
        return _jpeg_header(data)[0]
    if told == "PNG":
        return _pair(data, 16, 4, "big")
    if told == "GIF":
        return _pair(data, 6, 2, "little")
    if told == "WEBP":
        return _webp_size(data)
    if told == "BMP":
        return _pair(data, 18, 2 if data[14:15] == b"\x0c" else 4, "little")
    return None


def _pair(
    data: bytes, at: int, size: int, order: Literal["big", "little"]
) -> tuple[int, int] | None:
    if len(data) < at + 2 * size:
        return None
    # A negative height, four bytes in a bmp, turns the rows round.
    is_signed = size == 4 and order == "little"
    wide = int.from_bytes(data[at : at + size], order)
    high = int.from_bytes(data[at + size : at + 2 * size], order, signed=is_signed)
    return wide, abs(high)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    part = data[12:16]
    if len(data) < 30:
        return None
    if part == b"VP8X":
        wide, high = data[24:27], data[27:30]
        return int.from_bytes(wide, "little") + 1, int.from_bytes(high, "little") + 1
    if part == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if part == b"VP8 ":
        wide, high = data[26:28], data[28:30]
        return int.from_bytes(wide, "little") & 0x3FFF, int.from_bytes(high, "little") & 0x3FFF
    return None


def _jpeg_header(data: bytes) -> tuple[tuple[int, int] | None, int]:
    """Size that a jpeg claims, and where its first scan starts (0: there is none)."""
    size, at = None, 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                break
            continue
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker == 0xDA:
            return size, at
        else:
            if marker in _SIZES and at + 9 <= len(data):
                size = (data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6])
            at += 2 + (data[at + 2] << 8 | data[at + 3])
    return size, 0


def _jpeg_end(data: bytes) -> int:
    """Where a jpeg's last end marker ends, those of previews in its header left out; 0: none."""
    _, scan = _jpeg_header(data)
    found = data.rfind(b"\xff\xd9", scan) if scan else -1
    return found + 2 if found > 0 else 0


def _png_fault(data: bytes) -> str:
    at, view = len(_PNG), memoryview(data)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        name = data[at + 4 : at + 8]
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return f"the png is damaged: checksum of its part {name.decode('latin-1')!r}"
        if name == b"IEND":
            return ""
        at = end + 4
    return "the png is cut short"
