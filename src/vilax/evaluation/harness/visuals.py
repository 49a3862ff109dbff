"""What a task of lmms-eval shows: pictures and videos as encoded pictures."""

import io
from pathlib import Path
from typing import Any

import PIL.Image

from vilax.config.errors import ConfigError
from vilax.config.schema.video import FrameSampling
from vilax.data.formats.files import BadSample
from vilax.data.video import sample_frames

PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Endings of picture files; a path with another one is a video's."""

MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
"""Pixel formats that PNG holds as they are."""


def read_visuals(shown: Any, frames: FrameSampling | None, task: str) -> list[tuple[bytes, ...]]:
    """Encoded pictures of each thing that a task shows.

    Args:
        shown: what the task's ``doc_to_visual`` returned: pictures and paths, in lists or not, or
            nothing.
        frames: which frames of a video are shown; None: videos are not, for every frame would be
            cut into tiles.
        task: its name, for errors.

    Raises:
        ConfigError: something is neither a picture nor a video, or cannot be read.
    """
    if shown is None:
        return []
    if isinstance(shown, list | tuple):
        return [visual for one in shown for visual in read_visuals(one, frames, task)]
    if isinstance(shown, PIL.Image.Image):
        return [(encode(shown),)]
    if not isinstance(shown, str | Path):
        raise ConfigError(
            f"{task}: doc_to_visual gave {type(shown).__name__}: expected a picture, or the path of"
            " a picture or video"
        )
    path = Path(shown)
    try:
        if path.suffix.lower() in PICTURES:
            return [(path.read_bytes(),)]
        if frames is None:
            raise ConfigError(
                f"{task} shows the video {path}: a model that reads pictures in tiles is not shown"
                " frames; expected encoder.image_policy=pad, resize or crop"
            )
        return [tuple(frame.data for frame in sample_frames(path, frames))]
    except (BadSample, OSError) as error:
        raise ConfigError(f"{task}: {path} cannot be read: {error}") from error


def encode(picture: PIL.Image.Image) -> bytes:
    """A picture as PNG, losslessly."""
    out = io.BytesIO()
    whole = picture if picture.mode in MODES else picture.convert("RGB")
    whole.save(out, "PNG", compress_level=1)
    return out.getvalue()
