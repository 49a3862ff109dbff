"""Schema of how frames are taken from a video."""

from typing import Literal

from pydantic import Field

from vilax.config.schema.base import Node


class FrameSampling(Node):
    """Which frames of a video are shown."""

    count: int = Field(8, ge=1, le=4096)
    """Frames, where no rate is given; fewer where the video has fewer."""
    rate: float | None = Field(None, gt=0)
    """Frames a second; null: ``count`` frames of the whole."""
    most: int = Field(256, ge=1, le=4096)
    """Frames at most, where a rate is given; then as if that many were asked for."""
    how: Literal["uniform", "middle", "key_frames"] = "uniform"
    """uniform: first and last included, at equal steps (LLaVA, VILA); middle: the middles of equal
    parts; key_frames: uniform among frames that are coded whole."""
