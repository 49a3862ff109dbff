"""A video file that was cut short is told by its own sizes."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.data.test_video import write
from vilax.config.schema.video import FrameSampling
from vilax.data.containers import lacking_bytes
from vilax.data.formats.files import BadSample
from vilax.data.video import sample_frames

SAMPLING = FrameSampling(count=4)


def made(path: Path, codec: str, options: dict[str, str]) -> Path:
    """A video of 30 frames by a muxer's options."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            noise = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


FILES = {
    "index behind": ("a.mp4", "mpeg4", {}),
    "index before": ("b.mp4", "mpeg4", {"movflags": "faststart"}),
    "fragments": ("c.mp4", "mpeg4", {"movflags": "frag_keyframe+empty_moov"}),
    "QuickTime": ("d.mov", "mpeg4", {}),
    "WebM": ("e.webm", "libvpx", {}),
    "Matroska": ("f.mkv", "mpeg4", {}),
    "AVI": ("g.avi", "mpeg4", {}),
}

SEVERAL_BOXES = ("index behind", "fragments", "QuickTime")


@pytest.mark.parametrize("name", FILES)
def test_what_is_cut_off_is_counted(tmp_path: Path, name: str) -> None:
    file, codec, options = FILES[name]
    path = made(tmp_path / file, codec, options)
    whole = path.read_bytes()
    assert lacking_bytes(path) == lacking_bytes(whole) == 0
    assert len(sample_frames(path, SAMPLING)) == 4
    for off in (1, 1000, len(whole) // 2):
        lacking = lacking_bytes(whole[:-off])
        # Of whole boxes that are gone nothing tells; without its index libav refuses a file itself.
        assert lacking == off or (name in SEVERAL_BOXES and 0 <= lacking < off), off
        path.write_bytes(whole[:-off])
        if lacking:
            with pytest.raises(BadSample, match=f"cut short: its last {lacking:,} bytes"):
                sample_frames(path, SAMPLING)
        elif name != "fragments":
            with pytest.raises(BadSample):
                sample_frames(path, SAMPLING)


@pytest.mark.parametrize("name", ["index behind", "WebM", "AVI"])
def test_what_stands_behind_a_whole_video_does_not_matter(tmp_path: Path, name: str) -> None:
    file, codec, options = FILES[name]
    whole = made(tmp_path / file, codec, options).read_bytes()
    for more in (b"\0" * 40, b"\xff" * 40, b"\x7f"):
        assert lacking_bytes(whole + more) == 0


def test_a_recording_of_unknown_length_is_taken_as_it_is(tmp_path: Path) -> None:
    whole = made(tmp_path / "live.webm", "libvpx", {"live": "1"}).read_bytes()
    assert lacking_bytes(whole) == lacking_bytes(whole[: len(whole) // 2]) == 0


@pytest.mark.parametrize("data", [b"", b"\x1a\x45\xdf\xa3", b"RIFF", b"\0\0\0\x08ftyp", b"GIF89a"])
def test_other_bytes_tell_nothing(data: bytes) -> None:
    assert lacking_bytes(data) == 0


def test_the_videos_of_other_tests_are_whole(tmp_path: Path) -> None:
    for suffix in (".mp4", ".webm", ".gif"):
        assert lacking_bytes(write(tmp_path / f"a{suffix}")) == 0
