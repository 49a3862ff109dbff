"""Subtitles of a video, and those that are spoken at given times (protocols.md 12.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TIMES = re.compile(
    r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})\s*-->\s*(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
)
_TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")


@dataclass(frozen=True, slots=True)
class Subtitle:
    """What is said from ``start`` to ``end``, in seconds; ``text`` has no markup, one line."""

    start: float
    end: float
    text: str


def read_subtitles(path: Path) -> list[Subtitle]:
    """Entries of an SRT or WebVTT file, in the order of the file.

    Blocks without times (headers, notes) and those without words are left out. What is not UTF-8 is
    read as Latin-1, as older subtitle files are.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    found: list[Subtitle] = []
    for block in re.split(r"\r?\n[ \t]*(?:\r?\n)+", text):
        times = _TIMES.search(block)
        if times is None:
            continue
        said = " ".join(_TAG.sub("", block[times.end() :].partition("\n")[2]).split())
        if said:
            parts = times.groups()
            found.append(Subtitle(_seconds(parts[:4]), _seconds(parts[4:]), said))
    return found


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = parts
    whole = 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds or 0)
    return whole + int(str(fraction).ljust(3, "0")) / 1000


def subtitles_at(entries: Sequence[Subtitle], times: Sequence[float]) -> list[str]:
    """Texts of the entries that are shown at one of the times, in the order of the file, each once.

    An entry is shown from its start up to, but without, its end. lmms-eval and VILA take them in
    the order of a set, which is none.
    """
    return [one.text for one in entries if any(one.start <= time < one.end for time in times)]
