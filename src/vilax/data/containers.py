"""How long a video file says it is, so that one cut short is told: libav plays what is there.

Read off the outermost elements alone: boxes of ISO BMFF (ISO/IEC 14496-12, 4.2: mp4, mov), EBML
header and Segment of Matroska and WebM (RFC 8794, RFC 9559), RIFF of AVI.
"""

import io
import re
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
BOX = re.compile(rb"[ -~\xa9]{4}")
UNKNOWN = 0xFFFFFFFF
BOXES = 10_000
"""Outermost boxes that are looked at, at most."""


def lacking_bytes(source: Path | bytes) -> int:
    """Bytes that a file's own sizes promise and it does not have; 0 where none, or none are told.

    Raises:
        OSError: it cannot be read.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(12)
        file.seek(0)
        if head[:4] == EBML:
            end = _matroska_end(file)
        elif head[:4] == b"RIFF" and head[8:] == b"AVI ":
            length = int.from_bytes(head[4:8], "little")
            end = 0 if length == UNKNOWN else 8 + length
        elif head[4:8] == b"ftyp":
            end = _boxes_end(file, size)
        else:
            end = 0
    return max(0, end - size)


def _matroska_end(file: BinaryIO) -> int:
    for wanted in (EBML, SEGMENT):
        if file.read(4) != wanted:
            return 0
        first = file.read(1)
        if not first or not first[0]:
            return 0
        length = 9 - first[0].bit_length()
        digits = first + file.read(length - 1)
        size = int.from_bytes(digits, "big") - (1 << 7 * length)
        # All ones: unknown, as of a stream that was recorded while it went on.
        if len(digits) < length or size == (1 << 7 * length) - 1:
            return 0
        if wanted == SEGMENT:
            return file.tell() + size
        file.seek(size, io.SEEK_CUR)
    return 0


def _boxes_end(file: BinaryIO, size: int) -> int:
    at = 0
    for _ in range(BOXES):
        if at >= size:
            break
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        # 0: to the end of the file. Else what follows is no box.
        if length < 8 or not BOX.fullmatch(head[4:8]):
            return 0
        at += length
    return at
