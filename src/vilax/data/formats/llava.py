"""Conversations about pictures: LLaVA's JSON array, or the same objects as JSONL."""

import json
import mmap
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vilax.data.document import Document, Image, Segment, Text
from vilax.data.formats.files import (
    BadSample,
    Files,
    Lines,
    field,
    fingerprint,
    parse,
)
from vilax.data.formats.index import Scanned, table
from vilax.data.formats.pictures import Pictures
from vilax.data.storage import RemotePlace

PLACEHOLDER = "<image>"

_WINDOW = 1 << 20
_LONGEST = 1 << 26
_BETWEEN = re.compile(rb"[\s,]*")
_FIRST_KEY = re.compile(rb'\{\s*("[^"]*"\s*:)')


class LlavaReader:
    """A conversation per object; answers are supervised.

    A single picture stands before its question; of several, each stands at its placeholder; without
    placeholders they open the conversation. An object without ``image`` is text. Pictures lie below
    ``images``, or else the file's folder or its ``images``.
    """

    def __init__(self, name: str, files: Sequence[Path], images: Path | None = None) -> None:
        self.name = name
        self._root = files[0].parent if images is None else images
        self._tars = sorted(files[0].parent.glob("*.tar")) if images is None else []
        self._pictures = Pictures([self._root, *self._tars])
        arrays = files[0].suffix == ".json"
        self._rows: Lines | ArrayElements = ArrayElements(files) if arrays else Lines(files)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: a field is missing or wrong, placeholders and pictures differ in number,
                or a picture is missing.
        """
        row = self._rows.key(index)
        record = self._rows.record(index)
        own = record.get("id")
        key = f"{row} ({own})" if isinstance(own, str | int) else row
        names = record.get("image")
        named = [] if names is None else names if isinstance(names, list) else [names]
        if not all(isinstance(name, str) for name in named):
            raise BadSample(key, "field 'image': expected a path or a list of paths")
        turns = _conversation(key, record)
        marked = sum(text.count(PLACEHOLDER) for role, text in turns if role == "human")
        if marked not in (0, len(named)):
            raise BadSample(key, f"{marked} placeholders for {len(named)} pictures")
        found = [self._pictures.get(key, name) for name in named]
        notes = [note for _, odd in found for note in odd]
        pictures = iter([Image(data) for data, _ in found])
        segments: list[Segment] = [] if marked else list(pictures)
        for role, text in turns:
            if role == "human":
                segments += _question(text, pictures, alone=len(named) == 1)
            else:
                segments.append(Text(text, role="assistant"))
        return Document(key, self.name, tuple(segments), tuple(dict.fromkeys(notes)))

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        row = self._rows.key(index)
        try:
            own = self._rows.record(index).get("id")
        except BadSample:
            return row
        return f"{row} ({own})" if isinstance(own, str | int) else row

    def shard(self, index: int) -> str:
        """File of document ``index``."""
        return self._rows.files.paths[self._rows.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """The record of document ``index``.

        Raises:
            BadSample: it is not an object.
        """
        return self._rows.record(index)

    def fingerprint(self) -> str:
        """Hash of the files, and of names and sizes of the pictures in ``images``."""
        return fingerprint("llava", [*self._rows.files.paths, *self._tars], self._root / "images")


def _conversation(key: str, record: dict[str, Any]) -> list[tuple[str, str]]:
    """Turns from the first question on."""
    turns: list[tuple[str, str]] = []
    for turn in field(key, record, "conversations", list):
        if not isinstance(turn, dict):
            raise BadSample(key, "field 'conversations': expected objects")
        role, text = field(key, turn, "from", str), field(key, turn, "value", str).strip()
        if role not in ("human", "gpt"):
            raise BadSample(key, f"field 'from': expected human or gpt, found {role!r}")
        if role == "gpt" and not text:
            raise BadSample(key, "empty answer")
        if turns or role == "human":
            turns.append((role, text))
    if not any(role == "gpt" for role, _ in turns):
        raise BadSample(key, "a conversation without an answer to a question")
    return turns


def _question(text: str, pictures: Iterator[Image], alone: bool) -> list[Segment]:
    """A user's turn; a picture that is alone comes first."""
    segments: list[Segment] = []
    for number, piece in enumerate(text.split(PLACEHOLDER)):
        if number:
            segments.append(next(pictures))
        if stripped := piece.strip():
            segments.append(Text(stripped, loss=False, role="user"))
    if alone:
        segments.sort(key=lambda segment: isinstance(segment, Text))
    if not segments or isinstance(segments[-1], Image):
        # Without a user's text after it, a picture would belong to the answer.
        segments.append(Text("", loss=False, role="user"))
    return segments


class ArrayElements:
    """Objects of JSON arrays by index; only their places are kept."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.files = Files(paths)
        self._table = table("elements", paths, 2, _scan_array)

    def __len__(self) -> int:
        return len(self._table)

    def file_of(self, index: int) -> int:
        return self._table.file_of(index)

    def key(self, index: int) -> str:
        name = self.files.paths[self.file_of(index)].name
        return f"{name}[{self._table.within(index)}]"

    def record(self, index: int) -> dict[str, Any]:
        start, size = self._table[index]
        key = self.key(index)
        return parse(key, self.files.whole(key, self.file_of(index), start, size))


def _scan_array(path: Path) -> Scanned:
    rows = np.array(list(_elements(path)), dtype=np.int64)
    return Scanned(rows.reshape(-1, 2))


@contextmanager
def _content(path: Path) -> Iterator[mmap.mmap | bytes]:
    """A file by slices; a remote one is fetched whole, for its elements are found by reading it."""
    if isinstance(path, RemotePlace):
        yield path.read_bytes()
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _elements(path: Path) -> Iterator[tuple[int, int]]:
    """Start and size of each element of a JSON array.

    A broken element ends where the next object with the array's first key seems to begin.
    """
    decoder = json.JSONDecoder()
    with _content(path) as data:
        position, total = data.find(b"[") + 1, len(data)
        first = _FIRST_KEY.search(data, position)
        key = re.escape(first.group(1)) if first is not None else b""
        next_object = re.compile(rb"\}\s*,\s*\{\s*" + key)
        base, window = 0, ""
        while True:
            gap = _BETWEEN.match(data, position)
            position = gap.end() if gap is not None else position
            if position >= total or data[position] == ord("]"):
                return
            size = _WINDOW
            while True:
                try:
                    end = base + decoder.raw_decode(window, position - base)[1]
                    break
                except (ValueError, IndexError):
                    if base == position and len(window) >= min(_LONGEST, total - base):
                        following = next_object.search(data, position)
                        end = following.start() + 1 if following is not None else total
                        break
                # Latin-1 keeps one character per byte, so that indexes are byte offsets.
                base, window = position, data[position : position + size].decode("latin-1")
                size *= 2
            yield position, end - position
            position = end


def first_elements(path: Path, count: int) -> list[bytes]:
    """The first elements of a JSON array, as they are written."""
    with path.open("rb") as file:
        found = []
        for start, size in islice(_elements(path), count):
            file.seek(start)
            found.append(file.read(size))
        return found
