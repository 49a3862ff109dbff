"""Pictures of benchmark items: files, bytes in annotations, sampled frames of a video.

A prompt holds the picture's *key* in the place of its bytes; the bytes are read when the batch that
shows it is asked, so a benchmark of any size needs the memory of one batch.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilax.config.errors import ConfigError
from vilax.config.schema.video import FrameSampling
from vilax.data.formats.files import BadSample

if TYPE_CHECKING:
    from vilax.data.video import Frame

KEPT_VIDEOS = 4
"""Videos whose sampled frames are remembered: the questions of one video follow each other."""


@dataclass(frozen=True)
class FilePicture:
    """A picture in a file."""

    path: Path

    @property
    def key(self) -> bytes:
        """What stands for it in a prompt."""
        return f"file:{self.path}".encode()

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ConfigError(f"picture {self.path} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class BytesPicture:
    """A picture inside an annotation."""

    data: bytes

    @property
    def key(self) -> bytes:
        """What stands for it in a prompt."""
        return b"sha256:" + hashlib.sha256(self.data).hexdigest().encode()

    def read(self) -> bytes:
        """Its bytes."""
        return self.data


@dataclass(frozen=True)
class FramePicture:
    """One of a video's sampled frames."""

    path: Path
    number: int
    sampling: FrameSampling
    span: tuple[float, float] | None

    @property
    def key(self) -> bytes:
        """What stands for it in a prompt."""
        span = "" if self.span is None else f"{self.span[0]}-{self.span[1]}"
        return f"frame:{self.path}:{span}:{self.number}".encode()

    def read(self) -> bytes:
        """Its bytes, losslessly encoded.

        Raises:
            BadSample: the video cannot be decoded.
        """
        return frames_of(self.path, self.sampling, self.span)[self.number].data


@dataclass(frozen=True)
class BrokenPicture:
    """What stands for the frames of a video that cannot be decoded."""

    path: Path
    reason: str

    @property
    def key(self) -> bytes:
        """What stands for it in a prompt."""
        return f"broken:{self.path}".encode()

    def read(self) -> bytes:
        """Nothing.

        Raises:
            BadSample: always, with the reason.
        """
        raise BadSample(self.path.name, self.reason)


Picture = FilePicture | BytesPicture | FramePicture | BrokenPicture


@lru_cache(KEPT_VIDEOS)
def times_of(
    path: Path, sampling: FrameSampling, span: tuple[float, float] | None
) -> "Sequence[float]":
    """Times of a video's sampled frames, in seconds; nothing is decoded.

    Raises:
        BadSample: it is no video.
    """
    from vilax.data.video import frame_times

    return frame_times(path, sampling, span)


@lru_cache(KEPT_VIDEOS)
def frames_of(
    path: Path, sampling: FrameSampling, span: tuple[float, float] | None
) -> "Sequence[Frame]":
    """A video's sampled frames; the last few videos are remembered."""
    from vilax.data.video import sample_frames

    return sample_frames(path, sampling, span)


def find_file(root: Path, name: str, suffixes: Sequence[str]) -> Path:
    """A file of the benchmarks folder, with one of the endings where it has none of its own.

    Raises:
        ConfigError: there is no such file, or the path leaves the folder.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ConfigError(f"path {name!r} of an annotation lies outside the benchmarks folder")
    for candidate in (root / name, *(root / f"{name}{suffix}" for suffix in suffixes)):
        if candidate.is_file():
            return candidate
    endings = f" (nor with {', '.join(suffixes)})" if suffixes else ""
    raise ConfigError(f"there is no {root / name}{endings}")


def pictures_of(value: Any, root: Path, suffixes: Sequence[str]) -> tuple[Picture, ...]:
    """Pictures named by an expression's value: a path, bytes, {bytes, path}, or a list of those.

    Raises:
        ConfigError: it is none of these, or a file is not there.
    """
    if value is None:
        return ()
    if isinstance(value, bytes):
        return (BytesPicture(value),)
    if isinstance(value, str):
        return (FilePicture(find_file(root, value, suffixes)),)
    if isinstance(value, Mapping):
        if value.get("bytes") is not None:
            return (BytesPicture(bytes(value["bytes"])),)
        return pictures_of(value.get("path"), root, suffixes)
    if isinstance(value, Sequence):
        return tuple(p for one in value for p in pictures_of(one, root, suffixes))
    raise ConfigError(f"a picture is given as {type(value).__name__}: expected a path or bytes")
