"""Conversations about videos with a bad one among them."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.data.bad.kind import AT, GOOD, Bad
from tests.data.test_video import write
from tests.data.writers import conversation

NO_FRAME = b"RIFF\x04\0\0\0AVI "
"""A container without a stream."""

GOOD_WITH_VIDEO = (3, 17)


def clips(folder: Path, name: str, data: bytes | None) -> Path:
    """Conversations, two of them about a whole video, one about the given file."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "good.mp4", 8)
    if data is not None:
        (folder / name).write_bytes(data)
    records = []
    for n in range(GOOD):
        record = conversation([f"what is w{n} ?", f"a w{n}"], id=f"good{n}")
        records.append({**record, "video": "good.mp4"} if n in GOOD_WITH_VIDEO else record)
    bad = {**conversation(["<video> what ?", "a cat"], id="bad"), "video": name}
    (folder / "v.json").write_text(json.dumps([*records[:AT], bad, *records[AT:]]))
    return folder


def _clip(name: str, data: Callable[[Path], bytes]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return clips(folder, name, data(folder))

    return build


def _made(folder: Path, suffix: str, frames: int = 20) -> bytes:
    path = write(folder / f"whole{suffix}", frames, size=(96, 64))
    data = path.read_bytes()
    path.unlink()
    return data


def _half(suffix: str) -> Callable[[Path], bytes]:
    def cut(folder: Path) -> bytes:
        data = _made(folder, suffix)
        return data[: len(data) // 2]

    return cut


def _bad(write: Callable[[Path], Path], reason: str, kept: bool | None = False) -> Bad:
    return Bad(write, reason, "v.json", "bad", kept, format="video_llava")


KINDS: dict[str, Bad] = {
    "video: mp4 cut short": _bad(_clip("b.mp4", _half(".mp4")), "video|moov|cut"),
    "video: webm cut short": _bad(_clip("b.webm", _half(".webm")), "cut short"),
    "video: no frame": _bad(_clip("b.avi", lambda _: NO_FRAME), "frame|video"),
    "video: HTML": _bad(_clip("b.mp4", lambda _: b"<html>gone</html>"), "video"),
    "video: empty": _bad(_clip("b.mp4", lambda _: b""), "empty"),
    "video: random bytes": _bad(_clip("b.mp4", lambda _: bytes(range(256)) * 64), "video"),
    "video: missing": _bad(lambda folder: clips(folder, "gone.mp4", None), "gone"),
    "video: above the folder": _bad(
        lambda folder: clips(folder, "../../gone.mp4", None), "outside"
    ),
}
