"""Videos by name, in folders and tars, and their frames as segments of a document."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from vilax.config.schema.video import FrameSampling
from vilax.data.document import Image, Segment, Text
from vilax.data.formats.files import BadSample, file_hash
from vilax.data.formats.tar import TarFolder, members
from vilax.data.video import numbered_frames, sample_frames

SUFFIXES = (".mp4", ".webm", ".mkv", ".avi", ".mov")
"""Endings of a video's file, tried in this order; the one that is named comes first."""

LARGEST = 1 << 31
"""Bytes of a video inside of a tar, at most: it is held in memory."""

TIME = "{seconds:.1f} s: "
"""Text before a frame where times are written."""


class VideoFiles:
    """Videos by name below folders and in tars.

    A name may lack its ending, or have another one than the file; where no such path is there, the
    file of that name in any subfolder is taken.

    Args:
        roots: folders and tars, in the order in which they are searched.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._folders = [root for root in roots if root.is_dir()]
        self._archives = [root for root in roots if root.is_file() and root.suffix == ".tar"]
        self._tars: dict[Path, TarFolder] = {}
        self._below: dict[str, list[Path]] | None = None

    def find(self, key: str, name: str) -> Path | bytes:
        """The file of a video, or its content where it lies in a tar.

        Args:
            key: of the document, for messages.
            name: path below a root.

        Raises:
            BadSample: it is missing, is empty, lies outside of the roots, or several have its name.
        """
        relative = Path(name)
        if not name.strip() or relative.is_absolute() or ".." in relative.parts or "\0" in name:
            raise BadSample(key, f"video {name!r} lies outside the corpus")
        tried = _spellings(name)
        for folder in self._folders:
            for spelling in tried:
                path = folder / spelling
                if path.is_file():
                    return _filled(key, path)
        for archive in self._archives:
            for spelling in tried:
                data = self._from_tar(archive, spelling)
                if data is not None:
                    if not data:
                        raise BadSample(key, f"video {spelling!r} is empty")
                    return data
        return self._anywhere(key, name)

    def _from_tar(self, archive: Path, name: str) -> bytes | None:
        if archive not in self._tars:
            self._tars[archive] = TarFolder(archive)
        return self._tars[archive].get(name)

    def _anywhere(self, key: str, name: str) -> Path:
        if self._below is None:
            self._below = {}
            for folder in self._folders:
                for path in walk(folder):
                    self._below.setdefault(path.stem, []).append(path)
        stem = Path(name).stem if Path(name).suffix.lower() in SUFFIXES else Path(name).name
        found = self._below.get(stem, [])
        if not found:
            raise BadSample(key, f"video {name!r} is missing (tried {', '.join(SUFFIXES)})")
        if len(found) > 1:
            listed = ", ".join(str(path.relative_to(path.parents[1])) for path in found[:3])
            raise BadSample(key, f"video {name!r} is not unique: {listed}")
        return _filled(key, found[0])

    def fingerprint(self) -> list[str]:
        """Names and sizes of videos in folders, and hashes of tars."""
        said = [f"{path.name} {file_hash(path)}" for path in self._archives]
        for folder in self._folders:
            said += [f"{p.relative_to(folder)} {p.stat().st_size}" for p in walk(folder)]
        return said


def walk(folder: Path) -> Iterator[Path]:
    """Videos below a folder, in the order of their names; hidden ones left out."""
    for base, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield Path(base, name)


def video_members(path: Path) -> bool:
    """Whether an archive's first files include a video."""
    for number, member in enumerate(members(path)):
        if member.name.lower().endswith(SUFFIXES):
            return True
        if number > 64:
            break
    return False


def _spellings(name: str) -> list[str]:
    """The name as it is, then with each ending."""
    stem, dot, ending = name.rpartition(".")
    bare = stem if dot and f".{ending.lower()}" in SUFFIXES else name
    every = [f"{bare}{suffix}" for suffix in SUFFIXES]
    return [name, *(spelling for spelling in every if spelling != name)]


def _filled(key: str, path: Path) -> Path:
    if path.stat().st_size == 0:
        raise BadSample(key, f"video {path.name!r} is empty")
    return path


def video_frames(
    key: str,
    source: Path | bytes,
    sampling: FrameSampling | list[int],
    timestamps: bool = False,
    role: Literal["", "user"] = "",
    span: tuple[float, float] | None = None,
) -> list[Segment]:
    """Frames of a video as segments, each with its time before it if asked for.

    Args:
        key: of the document, for messages.
        source: the file, or its content.
        sampling: how many and which, or their numbers, ascending.
        timestamps: write seconds from the start before each frame, without loss.
        role: of these texts.
        span: start and end in seconds; None: the whole.

    Raises:
        BadSample: the video is broken or has no frame.
    """
    if isinstance(source, bytes) and len(source) > LARGEST:
        raise BadSample(key, f"a video of {len(source):,} bytes in a tar; expected a file")
    try:
        if isinstance(sampling, list):
            frames = numbered_frames(source, sampling)
        else:
            frames = sample_frames(source, sampling, span)
    except BadSample as error:
        raise BadSample(key, f"video {error.key}: {error.reason}") from error
    segments: list[Segment] = []
    for frame in frames:
        if timestamps:
            segments.append(Text(TIME.format(seconds=frame.time), loss=False, role=role))
        segments.append(Image(frame.data))
    return segments
