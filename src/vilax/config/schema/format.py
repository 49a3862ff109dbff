"""Schema of an on-disk format: what a record is, and the names of its fields."""

from typing import Annotated, Literal

from pydantic import Field

from vilax.config.schema.base import Node
from vilax.config.schema.video import VideoRecords


class _Told(Node):
    """What every format says."""

    requires: tuple[str, ...] = ()
    """Fields that a record has; of formats that fit, the one with most fields is taken."""


class ConversationFormat(_Told):
    """Turns of several speakers, with pictures at placeholders."""

    kind: Literal["conversation"] = "conversation"
    """A list of turns."""
    turns: str = "conversations"
    """Field with the turns."""
    speaker: str = "from"
    """Field of a turn with who speaks: human or user, gpt or assistant; system is left out."""
    said: str = "value"
    """Field of a turn with what is said."""
    image: str = "image"
    """Field with the picture or pictures."""
    id: str = "id"
    """Field with the record's own name."""


class ExchangesFormat(_Told):
    """Questions with their answers, after all pictures."""

    kind: Literal["exchanges"] = "exchanges"
    """A list of questions and answers."""
    turns: str = "texts"
    """Field with the list."""
    asked: str = "user"
    """Field of an exchange with the question."""
    answered: str = "assistant"
    """Field of an exchange with the answer."""
    image: str = "images"
    """Field with the pictures."""
    id: str = "id"
    """Field with the record's own name."""


class InstructionFormat(_Told):
    """One question, one answer, and pictures."""

    kind: Literal["instruction"] = "instruction"
    """A question and an answer."""
    asked: tuple[str, ...] = ("question",)
    """Fields that make up the question, joined by a line break; empty ones are left out."""
    answered: str = "answer"
    """Field with the answer."""
    image: str = "image"
    """Field with the picture or pictures."""
    id: str = "id"
    """Field with the record's own name."""


class PairFormat(_Told):
    """A picture and its caption."""

    kind: Literal["pair"] = "pair"
    """A picture and a caption."""
    caption: str = "text"
    """Field with the caption."""
    image: str = "image"
    """Field with the picture, or with its name without extension."""
    id: str = "id"
    """Field with the record's own name."""


class ListsFormat(_Told):
    """A page as two lists side by side: at each place a picture or a text."""

    kind: Literal["lists"] = "lists"
    """Parallel lists of pictures and texts."""
    texts: str = "texts"
    """Field with the texts, null where a picture stands."""
    image: str = "images"
    """Field with the pictures, null where a text stands."""
    id: str = "id"
    """Field with the record's own name."""
    images_per_page: int = Field(6, ge=1)
    """Pictures taken from a page, the first ones."""


class VideoFormat(_Told):
    """Videos, and what is said of them."""

    kind: Literal["video"] = "video"
    """Frames of videos."""
    records: VideoRecords = VideoRecords()
    """How they are named, and which frames are shown."""


RecordFormat = ConversationFormat | ExchangesFormat | InstructionFormat | PairFormat | ListsFormat

Format = Annotated[RecordFormat | VideoFormat, Field(discriminator="kind")]


class FormatFile(Node):
    """A file of ``conf/format``."""

    format: Format
    """What it holds."""
