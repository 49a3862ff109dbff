"""What each token of a document is: template, question, answer, picture, special."""

import copy
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from vilax.config.schema.data import Template
from vilax.data.document import Document, Image, Segment, Text
from vilax.data.inspect.spelling import Spelling
from vilax.data.prompt import Encoded, PromptEncoder
from vilax.data.splitting import split_long
from vilax.data.templates import Begin, Frame, Style
from vilax.data.tiles import TokensPerImage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REMEMBERED = 64_000_000
"""Characters of documents that are remembered until their rows come."""


class Part(IntEnum):
    """What a token is."""

    TEXT = 0
    USER = 1
    ASSISTANT = 2
    FRAME = 3
    IMAGE = 4
    SPECIAL = 5


@dataclass(frozen=True)
class Marked:
    """What is known of a document in a row beyond its tokens.

    Attributes:
        parts: ``Part`` of each token.
        template: what stood around its turns.
        piece: which piece of a document that was cut, from 1; 0: it is whole.
        pieces: how many pieces it was cut into.
        start: tokens of the document before this piece.
        notes: what was odd about its source and mended.
    """

    parts: UInt8[np.ndarray, " n"]
    template: Template
    piece: int
    pieces: int
    start: int
    notes: tuple[str, ...]


class MarkedEncoder(PromptEncoder):
    """An encoder that remembers the documents it has seen, so that tokens can be explained.

    Tokens and labels are those of ``PromptEncoder``. What is remembered holds no picture; the
    oldest is forgotten.
    """

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", tokens_per_image: TokensPerImage
    ) -> None:
        super().__init__(tokenizer, tokens_per_image)
        self.spelling = Spelling(tokenizer)
        self._seen: OrderedDict[tuple[str, str], tuple[Document, Template]] = OrderedDict()
        self._size = 0
        self._backend = copy.deepcopy(getattr(tokenizer, "backend_tokenizer", None))
        if self._backend is not None:
            self._backend.encode_special_tokens = True
            self._backend.no_padding()
            self._backend.no_truncation()

    def document(self, document: Document, template: Template = "raw") -> Encoded:
        """As ``PromptEncoder.document``; remembers the document."""
        name = (document.corpus, document.key)
        if name in self._seen:
            self._size -= _size(self._seen.pop(name)[0])
        bare = tuple(
            replace(self.sized(s), data=b"") if isinstance(s, Image) else s
            for s in document.segments
        )
        self._seen[name] = (replace(document, segments=bare), template)
        self._size += _size(document)
        while self._size > REMEMBERED and len(self._seen) > 1:
            self._size -= _size(self._seen.popitem(last=False)[1][0])
        return super().document(document, template)

    def explain(self, encoded: Encoded, length: int, images: int | None) -> Marked | None:
        """What the tokens of a document or of a piece of one are.

        Args:
            encoded: as it stands in a row.
            length: tokens of a row.
            images: pictures of a row, at most.

        Returns:
            None where the document was forgotten, or another of the same name came since.
        """
        whole = self._seen.get((encoded.corpus, encoded.key))
        key = encoded.key.rpartition("#")[0]
        for document, template in filter(None, (whole, self._seen.get((encoded.corpus, key)))):
            again = super().document(document, template)
            parts = self._parts(document, template)
            if len(parts) != len(again.tokens):
                continue
            try:
                cut = split_long(again, length, images)
            except ValueError:
                continue
            start = 0
            for number, piece in enumerate(cut, 1):
                end = start + len(piece.tokens)
                if piece.key == encoded.key and np.array_equal(piece.tokens, encoded.tokens):
                    order = (number, len(cut)) if len(cut) > 1 else (0, 1)
                    return Marked(parts[start:end], template, *order, start, document.notes)
                start = end
        return None

    def _parts(self, document: Document, template: Template) -> UInt8[np.ndarray, " n"]:
        style = self.style(template)
        closing = style.assistant_suffix if isinstance(style, Style) else ""
        parts: list[int] = []
        frames: list[Frame] = []
        plain = {s.text for s in document.segments if isinstance(s, Text) and not s.role}
        said = Part.ASSISTANT if any(_role(s) for s in document.segments) else Part.TEXT
        for piece in [*self.pieces(document, template, opened=False), None]:
            if isinstance(piece, Frame):
                frames.append(piece)
                continue
            for run in self.runs(frames):
                parts += [Part.SPECIAL] if isinstance(run, int) else self._frame_parts(run)
            frames = []
            if isinstance(piece, Text):
                kind = Part.TEXT if piece.text in plain else said
                if piece.role == "user":
                    kind = Part.USER
                elif piece.text == closing:
                    kind = Part.FRAME
                parts += [kind] * len(self.text(piece.text))
            elif isinstance(piece, Image):
                parts += [Part.IMAGE] * self.positions(piece)
            elif piece is not None and not (isinstance(piece, Begin) and self._bos is None):
                parts.append(Part.SPECIAL)
        return np.array(parts, dtype=np.uint8)

    def _frame_parts(self, frames: list[Frame]) -> list[int]:
        """Frames are tokenised as one: each token is what most of its letters are."""
        text = "".join(frame.text for frame in frames)
        kinds: list[int] = []
        for frame in frames:
            kinds += [Part.FRAME if frame.fixed else Part.USER] * len(frame.text)
        parts: list[int] = []
        for start, end in self._places(text):
            inside = [kinds[at] for at in range(start, end) if not text[at].isspace()]
            inside = inside or kinds[start:end] or kinds[start : start + 1] or kinds[-1:]
            parts.append(max(set(inside), key=inside.count) if inside else Part.FRAME)
        return parts

    def _places(self, text: str) -> list[tuple[int, int]]:
        """Where in a text each of its tokens stands, as the tokenizer says, or by their letters."""
        tokens = self.text(text)
        if self._backend is not None:
            cut = 1 if self._space_added and text.startswith(" ") else 0
            found = self._backend.encode(text[cut:], add_special_tokens=False).offsets
            if len(found) == len(tokens):
                return [(start + cut, end + cut) for start, end in found]
        letters = [at for at, letter in enumerate(text) if not letter.isspace()]
        places, begin = [], 0
        for spelled in self.spelling.texts(tokens):
            end = begin + len("".join(spelled.split()))
            some = letters[begin:end]
            places.append((some[0], some[-1] + 1) if some else (len(text), len(text)))
            begin = end
        return places


def _role(segment: Segment) -> str:
    return segment.role if isinstance(segment, Text) else ""


def _size(document: Document) -> int:
    return 200 + sum(len(s.text) for s in document.segments if isinstance(s, Text))
