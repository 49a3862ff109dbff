"""Frames of a video, by count or rate, with their times.

Decoded with PyAV: its packets give the exact time of every frame without decoding it, so that a
frame is found by its number also where the rate varies, and only what is shown is decoded.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from vilax.config.schema.video import FrameSampling
from vilax.data.containers import lacking_bytes
from vilax.data.decoding import MAX_PIXELS
from vilax.data.document import Image
from vilax.data.formats.files import BadSample
from vilax.data.png import encode_png

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

MAX_FRAMES = 5_000_000
"""Packets of a video that are looked at, at most: two days at 30 a second."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A sampled frame.

    Attributes:
        time: when it is shown, in seconds from the video's first frame.
        number: its place among the video's frames, from 0.
        data: the picture, losslessly encoded (PNG).
    """

    time: float
    number: int
    data: bytes


@dataclass(frozen=True)
class _Index:
    """Every frame of a video: presentation stamps in order, and which are coded whole."""

    stamps: list[int]
    keys: list[bool]
    base: Fraction

    @property
    def times(self) -> Float[np.ndarray, " frames"]:
        return (np.array(self.stamps) - self.stamps[0]) * float(self.base)


def sample_frames(
    source: Path | bytes, sampling: FrameSampling, span: tuple[float, float] | None = None
) -> list[Frame]:
    """Frames of a video; the same bytes always give the same.

    Args:
        source: the file, or its content.
        sampling: how many and which.
        span: only frames from ``start`` to ``end``, in seconds; None: the whole video.

    Returns:
        Frames in the order of their times; fewer than asked where the video, or the span, has
        fewer. Never none.

    Raises:
        BadSample: it is no video, holds no frame, is too large, or cannot be decoded.
    """
    with _opened(source) as (container, name):
        index = _index(container, name)
        chosen = choose(index.times, index.keys, sampling, span)
        return list(_decode(container, index, chosen, name))


def frame_times(
    source: Path | bytes, sampling: FrameSampling, span: tuple[float, float] | None = None
) -> list[float]:
    """Times of the frames that ``sample_frames`` would give; nothing is decoded.

    Args:
        source: as for ``sample_frames``.
        sampling: likewise.
        span: likewise.

    Returns:
        Seconds from the video's first frame.

    Raises:
        BadSample: it is no video, holds no frame, or is too large.
    """
    with _opened(source) as (container, name):
        index = _index(container, name)
        chosen = choose(index.times, index.keys, sampling, span)
        return [float(index.times[number]) for number in chosen]


def numbered_frames(source: Path | bytes, numbers: Sequence[int]) -> list[Frame]:
    """Frames of a video by their numbers, from 0, ascending.

    Raises:
        BadSample: as for ``sample_frames``, or it has fewer frames.
    """
    with _opened(source) as (container, name):
        index = _index(container, name)
        if numbers and numbers[-1] >= len(index.stamps):
            has = len(index.stamps)
            raise BadSample(name, f"has {has} frames, and none of number {numbers[-1]}")
        return list(_decode(container, index, numbers, name))


@contextmanager
def _opened(source: Path | bytes) -> Iterator[tuple["InputContainer", str]]:
    """A video, opened, and its name in messages."""
    import av

    name = source.name if isinstance(source, Path) else "video"
    try:
        if lacking := lacking_bytes(source):
            raise BadSample(name, f"is cut short: its last {lacking:,} bytes are not there")
        file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
        with av.open(file, mode="r") as container:
            if not container.streams.video:
                raise BadSample(name, "holds no video")
            yield container, name
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadSample(name, f"cannot be decoded as a video: {error}") from error


def _index(container: "InputContainer", name: str) -> _Index:
    stream = container.streams.video[0]
    if stream.width * stream.height > MAX_PIXELS:
        raise BadSample(name, f"{stream.width} x {stream.height} pixels, more than {MAX_PIXELS:,}")
    found: dict[int, bool] = {}
    for number, packet in enumerate(container.demux(stream)):
        if number > MAX_FRAMES:
            raise BadSample(name, f"more than {MAX_FRAMES:,} frames")
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and packet.size:
            found[stamp] = packet.is_keyframe
    if not found:
        raise BadSample(name, "holds no frame")
    stamps = sorted(found)
    return _Index(stamps, [found[stamp] for stamp in stamps], stream.time_base or Fraction(1))


def choose(
    times: Float[np.ndarray, " frames"],
    keys: Sequence[bool],
    sampling: FrameSampling,
    span: tuple[float, float] | None,
) -> list[int]:
    """Numbers of the sampled frames, ascending, each once.

    Args:
        times: of every frame, in seconds from the first.
        keys: which frames are coded whole.
        sampling: how many and which.
        span: start and end in seconds; None: all. A span without a frame takes the nearest one.
    """
    numbers = list(range(len(times)))
    if span is not None:
        nearest = int(np.abs(times - (span[0] + span[1]) / 2).argmin())
        numbers = [n for n in numbers if span[0] <= times[n] <= span[1]] or [nearest]
    if sampling.how == "key_frames":
        numbers = [n for n in numbers if keys[n]] or numbers[:1]
    count = sampling.count
    if sampling.rate is not None:
        seconds = float(times[numbers[-1]] - times[numbers[0]])
        count = min(int(seconds * sampling.rate) + 1, sampling.most)
    count = min(count, len(numbers))
    if sampling.how == "middle":
        return [numbers[int((place + 0.5) * len(numbers) / count)] for place in range(count)]
    return [numbers[place] for place in np.linspace(0, len(numbers) - 1, count, dtype=int)]


def _decode(
    container: "InputContainer", index: _Index, chosen: Sequence[int], name: str
) -> Iterator[Frame]:
    """Decode the chosen frames, seeking where a later whole frame is nearer than the next one."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    times = index.times
    at: int | None = None
    frames: Iterator[VideoFrame] = iter(())
    whole = [number for number, is_key in enumerate(index.keys) if is_key]
    for number in chosen:
        key = max((k for k in whole if k <= number), default=0)
        if at is None or at > number or key > at:
            container.seek(index.stamps[key], stream=stream, backward=True)
            frames = container.decode(stream)
        wanted = index.stamps[number]
        for frame in frames:
            stamp = frame.dts if frame.pts is None else frame.pts
            if stamp is not None and stamp >= wanted:
                yield Frame(float(times[number]), number, _png(frame))
                at = number + 1
                break
        else:
            raise BadSample(name, f"ends before frame {number}, at {times[number]:.2f} s")


def _png(frame: "VideoFrame") -> bytes:
    pixels = frame.to_ndarray(format="rgb24")
    # The file says how far the camera was turned; players turn the picture back.
    turns = round(float(frame.rotation or 0) / 90) % 4
    return encode_png(np.rot90(pixels, turns))


def video_segments(frames: Sequence[Frame]) -> tuple[Image, ...]:
    """A video as a document holds it: one image a frame, in order."""
    return tuple(Image(frame.data) for frame in frames)
