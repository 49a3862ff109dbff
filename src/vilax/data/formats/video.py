"""Documents from videos: conversations, questions and captions that name one, as frames and text.

Frames are decoded by PyAV, which is installed with its libraries on every platform and finds a
frame by its exact time; see ``vilax.data.video``.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from vilax.config.schema.video import FrameSampling, VideoRecords
from vilax.data.document import Document, Segment, Text
from vilax.data.formats.files import BadSample, fingerprint
from vilax.data.formats.video_files import VideoFiles, video_frames
from vilax.data.formats.video_rows import Rows

PLACEHOLDERS = ("<video>", "<image>")

VIDEO_FIELDS = ("video", "video_path", "video_name", "video_id", "videos")
QUESTION_FIELDS = ("question", "q", "Q")
ANSWER_FIELDS = ("answer", "a", "A")
CAPTION_FIELDS = ("caption", "captions", "text", "sentence", "description")


class VideoReader:
    """A document per record: the frames of its video, and what is said of it.

    In a conversation, a single video stands before its question, several each at their placeholder
    (``<video>`` or ``<image>``), without placeholders they open the conversation; answers are
    supervised. A question follows the frames, its answer is supervised; so is a caption.

    Args:
        name: the corpus's name.
        files: annotation files.
        rows: their records.
        videos: where videos lie.
        layout: how a record is read.
        names: what names of videos stand for (MSVD: ``vid1`` for a clip's file).
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        rows: Rows,
        videos: VideoFiles,
        layout: VideoRecords,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._files = list(files)
        self._rows = rows
        self._videos = videos
        self._layout = layout
        self._names = names or {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: a field is missing or wrong, placeholders and videos differ in number, or a
                video is missing, broken or empty.
        """
        record = self._rows.record(index)
        key = _named(self._rows.key(index), record)
        if self._layout.says == "caption":
            caption = Text(_caption(key, record))
            segments = [*self._frames(key, record, self._video_names(key, record)[0], ""), caption]
        else:
            turns = (
                _question(key, record)
                if self._layout.says == "question"
                else _conversation(key, record)
            )
            segments = self._dialogue(key, record, turns)
        return Document(key, self.name, tuple(segments))

    def _dialogue(
        self, key: str, record: dict[str, Any], turns: list[tuple[str, str]]
    ) -> list[Segment]:
        is_text = not any(record.get(name) for name in (self._layout.video or "", *VIDEO_FIELDS))
        if is_text and record.get("image"):
            raise BadSample(key, "a record with a picture and no video; expected layout llava")
        names = [] if is_text else self._video_names(key, record)
        marked = sum(_marks(text) for role, text in turns if role == "human")
        if marked not in (0, len(names)):
            raise BadSample(key, f"{marked} placeholders for {len(names)} videos")
        shown = iter([self._frames(key, record, name, "user") for name in names])
        segments: list[Segment] = []
        if not marked:
            segments += [one for frames in shown for one in frames]
        for role, text in turns:
            if role == "human":
                segments += _user(text, shown, alone=len(names) == 1)
            else:
                segments.append(Text(text, role="assistant"))
        return segments

    def _video_names(self, key: str, record: dict[str, Any]) -> list[str]:
        fields = (self._layout.video,) if self._layout.video else VIDEO_FIELDS
        for name in fields:
            value = record.get(name)
            found = value if isinstance(value, list) else [value]
            if all(isinstance(one, str | int) and not isinstance(one, bool) for one in found):
                names = [self._layout.name.format(one) for one in found]
                if names:
                    return [self._names.get(name, name) for name in names]
        raise BadSample(key, f"no field names a video; expected {' or '.join(fields)}")

    def _frames(
        self, key: str, record: dict[str, Any], name: str, role: Literal["", "user"]
    ) -> list[Segment]:
        source = self._found(key, name)
        sampling: FrameSampling | list[int] = self._layout.frames
        if self._layout.keyframes:
            sampling = _keyframes(key, record)
        span = None
        if self._layout.start is not None and self._layout.end is not None:
            start, end = record.get(self._layout.start), record.get(self._layout.end)
            if not isinstance(start, int | float) or not isinstance(end, int | float):
                raise BadSample(key, f"{self._layout.start}, {self._layout.end}: expected seconds")
            if end < start:
                raise BadSample(key, f"ends at {end} s, before it starts at {start} s")
            span = (float(start), float(end))
        return video_frames(key, source, sampling, self._layout.timestamps, role, span)

    def _found(self, key: str, name: str) -> Path | bytes:
        try:
            return self._videos.find(key, name)
        except BadSample as error:
            if not name.isdigit():
                raise
            hint = "for numbers see the formats msrvtt_qa and msvd_qa"
            raise BadSample(key, f"{error.reason}; {hint}") from error

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        row = self._rows.key(index)
        try:
            return _named(row, self._rows.record(index))
        except BadSample:
            return row

    def shard(self, index: int) -> str:
        """File of document ``index``."""
        return self._files[self._rows.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """The record of document ``index``.

        Raises:
            BadSample: it is not an object.
        """
        return self._rows.record(index)

    def fingerprint(self) -> str:
        """Hash of the annotations, of how they are read, and of names and sizes of the videos."""
        digest = hashlib.sha256(fingerprint("video", self._files).encode())
        digest.update(repr((self._layout, sorted(self._names.items()))).encode())
        for line in self._videos.fingerprint():
            digest.update(f"\n{line}".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def read_names(path: Path) -> dict[str, str]:
    """What each name of a video stands for: a file of ``FILE NAME`` lines (MSVD's mapping)."""
    found = {}
    for line in path.read_text("utf-8", "replace").splitlines():
        parts = line.split()
        if len(parts) == 2:
            found[parts[1]] = parts[0]
    return found


def _named(row: str, record: dict[str, Any]) -> str:
    own = next((record[f] for f in ("id", "question_id", "sen_id") if f in record), None)
    return f"{row} ({own})" if isinstance(own, str | int) else row


def _text(key: str, record: dict[str, Any], fields: Sequence[str], what: str) -> str:
    for name in fields:
        value = record.get(name)
        if isinstance(value, str):
            if not value.strip():
                raise BadSample(key, f"empty {what}")
            return value.strip()
    raise BadSample(key, f"no {what}; expected a text in field {' or '.join(fields)}")


def _question(key: str, record: dict[str, Any]) -> list[tuple[str, str]]:
    asked = _text(key, record, QUESTION_FIELDS, "question")
    return [("human", asked), ("gpt", _text(key, record, ANSWER_FIELDS, "answer"))]


def _conversation(key: str, record: dict[str, Any]) -> list[tuple[str, str]]:
    """Turns from the first question on."""
    said = record.get("conversations")
    if said is None and any(name in record for name in QUESTION_FIELDS):
        return _question(key, record)
    if not isinstance(said, list):
        raise BadSample(key, "field 'conversations': expected a list")
    turns: list[tuple[str, str]] = []
    for turn in said:
        role = turn.get("from") if isinstance(turn, dict) else None
        text = turn.get("value") if isinstance(turn, dict) else None
        if role not in ("human", "gpt") or not isinstance(text, str):
            raise BadSample(key, "field 'conversations': expected from (human, gpt) and value")
        if role == "gpt" and not text.strip():
            raise BadSample(key, "empty answer")
        if turns or role == "human":
            turns.append((role, text.strip()))
    if not any(role == "gpt" for role, _ in turns):
        raise BadSample(key, "a conversation without an answer to a question")
    return turns


def _caption(key: str, record: dict[str, Any]) -> str:
    parts = record.get("captions")
    if isinstance(parts, list) and parts and all(isinstance(part, dict) for part in parts):
        # ShareGPT4Video: captions of key frames, and under -1 that of the whole.
        whole = [part.get("content") for part in parts if str(part.get("idx")) == "-1"]
        if len(whole) != 1:
            raise BadSample(key, f"{len(whole)} captions of the whole (idx -1); expected one")
        return _text(key, {"content": whole[0]}, ("content",), "caption")
    return _text(key, record, CAPTION_FIELDS, "caption")


def _keyframes(key: str, record: dict[str, Any]) -> list[int]:
    found = record.get("keyframe")
    is_list = isinstance(found, list) and bool(found)
    if not is_list or not all(type(n) is int and n >= 0 for n in found or []):
        raise BadSample(key, "field 'keyframe': expected a list of numbers of frames")
    return sorted(set(found or []))


def _marks(text: str) -> int:
    return sum(text.count(placeholder) for placeholder in PLACEHOLDERS)


def _user(text: str, shown: Iterator[list[Segment]], alone: bool) -> list[Segment]:
    """A user's turn; a video that is alone comes first."""
    text = text.replace(PLACEHOLDERS[1], PLACEHOLDERS[0])
    frames: list[Segment] = []
    segments: list[Segment] = []
    for number, piece in enumerate(text.split(PLACEHOLDERS[0])):
        if number:
            (frames if alone else segments).extend(next(shown))
        if stripped := piece.strip():
            segments.append(Text(stripped, loss=False, role="user"))
    segments = [*frames, *segments]
    if not segments or not isinstance(segments[-1], Text):
        # Without a user's text after them, frames would belong to the answer.
        segments.append(Text("", loss=False, role="user"))
    return segments
