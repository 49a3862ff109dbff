"""Documents out of records whose fields a YAML names."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from vilax.config.schema.format import (
    ConversationFormat,
    ExchangesFormat,
    InstructionFormat,
    ListsFormat,
    PairFormat,
    RecordFormat,
)
from vilax.data.document import Document, Image, Role, Segment, Text
from vilax.data.formats.files import BadSample, field, fingerprint
from vilax.data.formats.pictures import Pictures

PLACEHOLDER = "<image>"

ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "",
}

Shown = Iterator[Image]


class Rows(Protocol):
    """Records by index."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str: ...

    def file_of(self, index: int) -> int: ...

    def record(self, index: int) -> dict[str, Any]: ...


class RecordReader:
    """Documents of records in JSON Lines, JSON arrays or parquet, as a format says.

    Args:
        name: the corpus's name.
        rows: the records.
        paths: their files.
        format: what a record is.
        roots: where pictures lie.
    """

    def __init__(
        self,
        name: str,
        rows: Rows,
        paths: Sequence[Path],
        format: RecordFormat,
        roots: Sequence[Path],
    ) -> None:
        self.name = name
        self._rows = rows
        self._paths = list(paths)
        self._format = format
        self._roots = list(roots)
        self._pictures = Pictures(roots)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: a field is missing or wrong, placeholders and pictures differ in number, or
                a picture is missing.
        """
        record = self._rows.record(index)
        key = self._key(index, record)
        notes: list[str] = []

        def show(values: Sequence[Any]) -> list[Image]:
            images = []
            for value in values:
                data, odd = self._pictures.get(key, value)
                images.append(Image(data))
                notes.extend(note for note in odd if note not in notes)
            return images

        segments = _BUILDERS[type(self._format)](key, record, self._format, show)
        return Document(key, self.name, tuple(segments), tuple(notes))

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        try:
            return self._key(index, self._rows.record(index))
        except BadSample:
            return self._rows.key(index)

    def _key(self, index: int, record: dict[str, Any]) -> str:
        row, own = self._rows.key(index), record.get(self._format.id)
        return f"{row} ({own})" if isinstance(own, str | int) and own != "" else row

    def shard(self, index: int) -> str:
        """File of document ``index``."""
        return self._paths[self._rows.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """Record of document ``index`` without its pictures; raises ``BadSample``."""
        record = self._rows.record(index)
        return {name: v for name, v in record.items() if name != self._format.image}

    def fingerprint(self) -> str:
        """Hash of the files, of names and sizes of pictures beside them, and of the format."""
        pictures = self._roots[0] / "images"
        whole = fingerprint(self._format.model_dump_json(), self._paths, pictures)
        tars = [root for root in self._roots if root.suffix == ".tar"]
        return hashlib.sha256(f"{whole} {fingerprint('tars', tars)}".encode()).hexdigest()


Show = Callable[[Sequence[Any]], list[Image]]


def _conversation(
    key: str, record: dict[str, Any], format: ConversationFormat, show: Show
) -> list[Segment]:
    turns: list[tuple[Role, str]] = []
    for turn in field(key, record, format.turns, list):
        if not isinstance(turn, dict):
            raise BadSample(key, f"field {format.turns!r}: expected objects")
        said = field(key, turn, format.said, str).strip()
        speaker = field(key, turn, format.speaker, str)
        if speaker not in ROLES:
            expected = ", ".join(ROLES)
            raise BadSample(key, f"field {format.speaker!r}: {speaker!r}; expected {expected}")
        role = ROLES[speaker]
        if role == "assistant" and not said:
            raise BadSample(key, "empty answer")
        if role == "user" or (role and turns):
            turns.append((role, said))
    return _turned(key, turns, show(_several(record.get(format.image))))


def _exchanges(
    key: str, record: dict[str, Any], format: ExchangesFormat, show: Show
) -> list[Segment]:
    turns: list[tuple[Role, str]] = []
    for exchange in field(key, record, format.turns, list):
        if not isinstance(exchange, dict):
            raise BadSample(key, f"field {format.turns!r}: expected objects")
        asked = field(key, exchange, format.asked, str).strip()
        answer = field(key, exchange, format.answered, str).strip()
        if not answer:
            raise BadSample(key, "empty answer")
        turns += [("user", asked), ("assistant", answer)]
    return _turned(key, turns, show(_several(record.get(format.image))))


def _instruction(
    key: str, record: dict[str, Any], format: InstructionFormat, show: Show
) -> list[Segment]:
    parts = [field(key, record, name, str).strip() for name in format.asked]
    answer = field(key, record, format.answered, str).strip()
    asked = "\n".join(part for part in parts if part)
    if not asked or not answer:
        raise BadSample(key, f"empty {format.answered if asked else ' and '.join(format.asked)}")
    turns: list[tuple[Role, str]] = [("user", asked), ("assistant", answer)]
    return _turned(key, turns, show(_several(record.get(format.image))))


def _pair(key: str, record: dict[str, Any], format: PairFormat, show: Show) -> list[Segment]:
    caption = field(key, record, format.caption, str).strip()
    if not caption:
        raise BadSample(key, f"field {format.caption!r}: empty caption")
    pictures = show([record.get(format.image)])
    return [*pictures, Text(caption)]


def _lists(key: str, record: dict[str, Any], format: ListsFormat, show: Show) -> list[Segment]:
    texts = field(key, record, format.texts, list)
    images = field(key, record, format.image, list)
    if len(texts) != len(images):
        raise BadSample(
            key, f"{len(texts)} {format.texts} beside {len(images)} {format.image}; expected equal"
        )
    segments: list[Segment] = []
    shown = 0
    for place, (text, image) in enumerate(zip(texts, images, strict=True)):
        if (text is None) == (image is None):
            raise BadSample(key, f"place {place}: expected a text or a picture, and one of them")
        if image is not None:
            shown += 1
            if shown <= format.images_per_page:
                segments += show([image])
        elif not isinstance(text, str):
            raise BadSample(key, f"field {format.texts!r}: expected only text")
        elif text.strip():
            segments.append(Text(text.strip()))
    while segments and isinstance(segments[-1], Image):
        segments.pop()
    if not segments:
        raise BadSample(key, "a page without text")
    return segments


_BUILDERS: dict[type, Callable[[str, dict[str, Any], Any, Show], list[Segment]]] = {
    ConversationFormat: _conversation,
    ExchangesFormat: _exchanges,
    InstructionFormat: _instruction,
    PairFormat: _pair,
    ListsFormat: _lists,
}


def _several(value: Any) -> list[Any]:
    if value is None or value == "" or value == []:
        return []
    return value if isinstance(value, list) else [value]


def _turned(key: str, turns: list[tuple[Role, str]], images: list[Image]) -> list[Segment]:
    """Turns with pictures at their placeholders, or before all where there is none."""
    if not any(role == "assistant" for role, _ in turns):
        raise BadSample(key, "a conversation without an answer to a question")
    marked = sum(said.count(PLACEHOLDER) for role, said in turns if role == "user")
    if marked not in (0, len(images)):
        raise BadSample(key, f"{marked} placeholders for {len(images)} pictures")
    waiting = iter(images)
    segments: list[Segment] = [] if marked else list(images)
    for role, said in turns:
        if role == "assistant":
            segments.append(Text(said, role="assistant"))
            continue
        pieces = said.split(PLACEHOLDER)
        turn: list[Segment] = []
        for number, piece in enumerate(pieces):
            if number:
                turn.append(next(waiting))
            if piece.strip():
                turn.append(Text(piece.strip(), loss=False, role="user"))
        if len(images) == 1:
            # A picture that is alone stands before its question.
            turn.sort(key=lambda segment: isinstance(segment, Text))
        if not turn or isinstance(turn[-1], Image):
            # Without a user's text after it, a picture would belong to the answer.
            turn.append(Text("", loss=False, role="user"))
        segments += turn
    return segments
