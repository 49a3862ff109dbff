"""Videos with captions beside them: KEY.mp4 and KEY.txt or KEY.json, in a folder or in tars."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vilax.config.schema.video import FrameSampling
from vilax.data.document import Document, Text
from vilax.data.formats.files import BadSample, Files, fingerprint
from vilax.data.formats.index import Scanned, table
from vilax.data.formats.tar import BLOCK, header_name, members, split_name
from vilax.data.formats.video import CAPTION_FIELDS
from vilax.data.formats.video_files import SUFFIXES, video_frames, walk

LONGEST = 1 << 20
"""Bytes of a caption, at most."""


class _Places(Protocol):
    """Videos and captions by index."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str: ...

    def shard(self, index: int) -> str: ...

    def video(self, index: int) -> Path | bytes: ...

    def caption(self, index: int) -> tuple[str, bytes]:
        """``txt`` or ``json``, and content."""
        ...

    def fingerprint(self) -> str: ...


class VideoCaptions:
    """The frames of a video, then its supervised caption.

    Args:
        name: the corpus's name.
        files: tars, or one folder.
        frames: which frames are shown.
        timestamps: write the time before each frame.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        frames: FrameSampling,
        timestamps: bool = False,
    ) -> None:
        self.name = name
        self._frames = frames
        self._timestamps = timestamps
        self._places: _Places = _Folder(files[0]) if files[0].is_dir() else _Tars(files)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: the caption or the video is missing, empty or broken.
        """
        key = self.key(index)
        caption = _said(key, self._facts(index))
        source = self._places.video(index)
        frames = video_frames(key, source, self._frames, self._timestamps)
        return Document(key, self.name, (*frames, Text(caption)))

    def _facts(self, index: int) -> dict[str, Any]:
        kind, raw = self._places.caption(index)
        key = self.key(index)
        if len(raw) > LONGEST:
            raise BadSample(key, f"a caption of more than {LONGEST:,} bytes")
        try:
            if kind == "txt":
                return {"caption": raw.decode("utf-8")}
            facts = json.loads(raw)
        except ValueError as error:
            raise BadSample(key, f"the caption (.{kind}) cannot be read: {error}") from error
        if not isinstance(facts, dict):
            raise BadSample(key, "its .json: expected an object")
        return facts

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        return self._places.key(index)

    def shard(self, index: int) -> str:
        """Archive, or folder, of document ``index``."""
        return self._places.shard(index)

    def facts(self, index: int) -> dict[str, Any]:
        """The caption of document ``index``, or the fields of its .json.

        Raises:
            BadSample: it is missing or cannot be read.
        """
        return self._facts(index)

    def fingerprint(self) -> str:
        """Hash of the archives, or of names and sizes in the folder, and of the sampling."""
        told = f"{self._places.fingerprint()} {self._frames!r} {self._timestamps}"
        return hashlib.sha256(told.encode()).hexdigest()


def _said(key: str, facts: dict[str, Any]) -> str:
    for name in CAPTION_FIELDS:
        value = facts.get(name)
        if isinstance(value, str):
            if not value.strip():
                raise BadSample(key, "empty caption")
            return value.strip()
    raise BadSample(key, f"no caption; expected a text in field {' or '.join(CAPTION_FIELDS)}")


class _Folder:
    """Videos below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = [path.relative_to(folder).as_posix() for path in walk(folder)]

    def __len__(self) -> int:
        return len(self._names)

    def key(self, index: int) -> str:
        return self._names[index]

    def shard(self, index: int) -> str:
        return Path(self._names[index]).parent.as_posix()

    def video(self, index: int) -> Path:
        path = self._folder / self._names[index]
        try:
            is_empty = path.stat().st_size == 0
        except OSError as error:
            raise BadSample(self.key(index), f"cannot be read: {error.strerror}") from error
        if is_empty:
            raise BadSample(self.key(index), "the video is empty")
        return path

    def caption(self, index: int) -> tuple[str, bytes]:
        video = self._folder / self._names[index]
        for kind in ("txt", "json"):
            path = video.with_suffix(f".{kind}")
            if path.is_file():
                with path.open("rb") as file:
                    return kind, file.read(LONGEST + 1)
        raise BadSample(self.key(index), "no caption: neither .txt nor .json")

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for index, name in enumerate(self._names):
            path = self._folder / name
            digest.update(f"\n{name} {path.stat().st_size} ".encode("utf-8", "surrogateescape"))
            try:
                digest.update(self.caption(index)[1])
            except BadSample:
                continue
        return digest.hexdigest()


class _Tars:
    """Videos in archives; neighbouring files of one key belong together."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = Files(files)
        self._table = table("videos", files, 5, _scan)

    def __len__(self) -> int:
        return len(self._table)

    def key(self, index: int) -> str:
        if index in self._table.faults:
            return self._table.faults[index][0]
        video = self._table[index][0]
        try:
            header = self._files.read(self._table.file_of(index), video - BLOCK, BLOCK)
        except OSError:
            header = b""
        name = split_name(header_name(header))[0] if header else ""
        return f"{self.shard(index)}/{name}" if name else f"{self.shard(index)}@{video}"

    def shard(self, index: int) -> str:
        return self._files.paths[self._table.file_of(index)].name

    def video(self, index: int) -> bytes:
        start, size, _, _, _ = self._row(index)
        data = self._files.whole(self.key(index), self._table.file_of(index), start, size)
        if not data:
            raise BadSample(self.key(index), "the video is empty")
        return data

    def caption(self, index: int) -> tuple[str, bytes]:
        _, _, start, size, is_json = self._row(index)
        if not start:
            raise BadSample(self.key(index), "no caption: neither .txt nor .json")
        number = self._table.file_of(index)
        raw = self._files.whole(self.key(index), number, start, min(size, LONGEST + 1))
        return ("json" if is_json else "txt"), raw

    def _row(self, index: int) -> list[int]:
        if index in self._table.faults:
            raise BadSample(*self._table.faults[index])
        return self._table[index]

    def fingerprint(self) -> str:
        return fingerprint("videos", self._files.paths)


def _scan(path: Path) -> Scanned:
    """Offset and size of the video and the caption of each key, and whether that is JSON."""
    rows: list[list[int]] = []
    faults: dict[int, tuple[str, str]] = {}
    key, fault, row = "", "", [0] * 5

    def close() -> None:
        if not row[0] and not row[2]:
            return
        if fault or not row[0]:
            reason = fault or f"no video ({', '.join(SUFFIXES)})"
            faults[len(rows)] = (f"{path.name}/{key}", reason)
        rows.append(row)

    for member in members(path):
        if not member.name:
            # Behind a file that is cut short, the archive's end says nothing new.
            if not fault:
                close()
                faults[len(rows)] = (f"{path.name}@{member.offset}", member.fault)
                rows.append([0] * 5)
                key, row = "", [0] * 5
            continue
        stem, ending = split_name(member.name)
        if stem != key:
            close()
            key, fault, row = stem, "", [0] * 5
        fault = fault or member.fault
        if f".{ending}" in SUFFIXES:
            row[:2] = member.offset, member.size
        elif ending == "txt" or (ending == "json" and not row[2]):
            row[2:] = member.offset, member.size, int(ending == "json")
    close()
    return Scanned(np.array(rows, dtype=np.int64).reshape(-1, 5), faults)
