"""Frames of real little videos: the right ones, at the right times, or a named fault."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pil

from vilax.config.schema.video import FrameSampling
from vilax.data.video import BadSample, choose, frame_times, sample_frames, video_segments

CODECS = {".mp4": "mpeg4", ".webm": "libvpx", ".mkv": "mpeg4", ".gif": "gif", ".avi": "mpeg4"}


def write(
    path: Path, frames: int = 40, times: list[int] | None = None, size: tuple[int, int] = (48, 32)
) -> Path:
    """A video whose frame n is a field of grey 6 n; times in hundredths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "rgb8" if path.suffix == ".gif" else "yuv420p"
        stream.gop_size = 12
        stream.bit_rate = 400_000
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 100)
        for number in range(frames):
            shade = np.full((size[1], size[0], 3), 6 * number, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 100)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def grey(data: bytes) -> float:
    return float(np.asarray(Pil.open(io.BytesIO(data)).convert("RGB")).mean()) / 6


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv", ".avi"])
def test_frames_are_those_asked_for(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"v{suffix}")
    frames = sample_frames(path, FrameSampling(count=5))
    assert [frame.number for frame in frames] == [0, 9, 19, 29, 39]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.9, 1.9, 2.9, 3.9], abs=2e-3)
    for frame in frames:
        assert grey(frame.data) == pytest.approx(frame.number, abs=1.2)
    assert sample_frames(path.read_bytes(), FrameSampling(count=5)) == frames
    assert [segment.data for segment in video_segments(frames)] == [f.data for f in frames]


def test_rates_spans_and_key_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4")
    assert [f.number for f in sample_frames(path, FrameSampling(rate=1.0))] == [0, 13, 26, 39]
    assert len(sample_frames(path, FrameSampling(rate=5.0, most=6))) == 6
    inside = sample_frames(path, FrameSampling(count=3), (1.0, 2.0))
    assert [f.number for f in inside] == [10, 15, 20]
    [middle] = sample_frames(path, FrameSampling(count=1, how="middle"), (1.0, 2.0))
    assert middle.number == 15
    path = write(tmp_path / "v.webm")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    whole = [number for number, packet in enumerate(packets) if packet.is_keyframe]
    found = sample_frames(path, FrameSampling(count=40, how="key_frames"))
    assert [frame.number for frame in found] == whole
    assert 0 < len(whole) < 40


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 10, 20, 200, 210, 400]
    frames = sample_frames(write(tmp_path / "v.mkv", 6, times), FrameSampling(count=6))
    assert [frame.time for frame in frames] == pytest.approx([t / 100 for t in times], abs=2e-3)
    assert [round(grey(frame.data)) for frame in frames] == list(range(6))


def test_fewer_frames_than_asked(tmp_path: Path) -> None:
    frames = sample_frames(write(tmp_path / "v.mp4", 3), FrameSampling(count=8))
    assert [frame.number for frame in frames] == [0, 1, 2]
    [only] = sample_frames(write(tmp_path / "one.mp4", 1), FrameSampling(count=8))
    assert only.time == 0


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00" * 4096])
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(BadSample, match=r"broken\.mp4|video"):
        sample_frames(path, FrameSampling())


def test_a_video_cut_off_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.webm")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadSample, match=r"v\.webm: is cut short"):
        sample_frames(path, FrameSampling(count=40))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(BadSample, match="no video"):
        sample_frames(path, FrameSampling())


def test_choice_alone() -> None:
    times = np.arange(100) / 10
    keys = [number % 25 == 0 for number in range(100)]
    middle = choose(times, keys, FrameSampling(count=4, how="middle"), None)
    assert middle == [12, 37, 62, 87]
    assert choose(times, keys, FrameSampling(count=4), (50.0, 60.0)) == [99]
    assert choose(times, keys, FrameSampling(how="key_frames"), (3.0, 4.0)) == [30]


def test_times_alone_are_those_of_the_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "v.webm")
    for sampling in (FrameSampling(count=5), FrameSampling(rate=2.0), FrameSampling(how="middle")):
        frames = sample_frames(path, sampling, (0.5, 3.0))
        assert frame_times(path, sampling, (0.5, 3.0)) == [frame.time for frame in frames]
    with pytest.raises(BadSample):
        frame_times(tmp_path / "none.mp4", FrameSampling())
