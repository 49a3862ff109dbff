"""The one currency of data: ordered text and image segments."""

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["", "user", "assistant"]
"""Whose turn a text belongs to; ``""`` in documents that are no conversation."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text.

    Attributes:
        text: the text itself; never holds an image placeholder.
        loss: whether its tokens are supervised.
        role: the turn it belongs to. Adjacent texts of one role are one turn.
        sentence: characters of its first sentence, where a page says so; 0: not known.
    """

    text: str
    loss: bool = True
    role: Role = ""
    sentence: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Image:
    """A picture; in a conversation it belongs to the turn of the text that follows it.

    Attributes:
        data: the encoded file (png, jpeg, webp ...), or what stands for it.
        size: width and height in pixels, upright; None: the file says.
    """

    data: bytes
    size: tuple[int, int] | None = None


Segment = Text | Image


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader yields and a prompt code encodes.

    Attributes:
        key: names the document within its corpus.
        corpus: name of the corpus.
        segments: text and images in reading order.
        notes: what was odd about its source and mended, such as a wrong file extension.
    """

    key: str
    corpus: str
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
