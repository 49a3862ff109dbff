"""Schema of how frames are taken from a video, and of what is said of videos."""

from typing import Literal

from pydantic import Field, model_validator

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


class VideoRecords(Node):
    """How a record names a video, what is said of it, and which frames are shown."""

    says: Literal["conversation", "question", "caption", "file"] = "conversation"
    """What a record holds; file: no records, but KEY.mp4 with KEY.txt or KEY.json beside it."""
    rows: str | None = None
    """Name of the list of records where a file is one JSON object (MSRVTT: sentences)."""
    columns: bool = False
    """Files are lines of text: a video's name, a space, the caption (MSVD)."""
    video: str | None = None
    """Field that names the video; null: video, video_path, video_name, video_id or videos."""
    name: str = Field("{}", pattern=r"^[^{}]*\{\}[^{}]*$")
    """What a name in a record becomes, such as video{} for the numbers of MSRVTT-QA."""
    names: str | None = None
    """File beside the annotations whose lines are FILE NAME: what names stand for (MSVD-QA)."""
    start: str | None = None
    """Field with the start of the part that is shown, in seconds."""
    end: str | None = None
    """Field with its end."""
    frames: FrameSampling = FrameSampling()
    """Which frames are shown."""
    keyframes: bool = False
    """Show the frames whose numbers the record lists in keyframe, and not those of ``frames``."""
    timestamps: bool = False
    """Write the time before each frame, as text without loss."""

    @model_validator(mode="after")
    def _keys_agree(self) -> "VideoRecords":
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end go together")
        if self.rows is not None and self.columns:
            raise ValueError("rows and columns exclude each other")
        if self.keyframes and self.start is not None:
            raise ValueError("keyframes and start exclude each other")
        return self
