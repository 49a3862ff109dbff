"""Pictures and videos of coloured fields."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def jpeg(number: int, side: int = 40) -> bytes:
    """A small picture; another number, other colours."""
    random = np.random.default_rng(number)
    field = random.integers(0, 255, (4, 4, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(field).resize((side, side + 8)).save(out, "JPEG")
    return out.getvalue()


def picture(path: Path, number: int) -> None:
    """Write a picture, as PNG where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(jpeg(number))).save(path)


def dump(path: Path, content: Any) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def lines(path: Path, rows: list[Any]) -> None:
    """Write JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def video(path: Path, frames: int = 20) -> None:
    """Write a short video of moving grey."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    codec = {".mp4": "mpeg4", ".avi": "mpeg4", ".webm": "libvpx", ".gif": "gif"}[path.suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for number in range(frames):
            shade = np.full((32, 32, 3), 8 * number % 256, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
