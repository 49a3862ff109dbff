"""From documents to token ids and labels: one code for training and evaluation."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.data.document import Document, Image, Text
from vilax.data.templates import End, Frame, Piece, find_style, pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IMAGE_TOKEN = -200
"""Stands at every position that a visual token takes."""

IGNORE = -100
"""Label of a position without loss."""

Picture = Any
"""A picture on its way to the model: its encoded file (bytes), or what a stream's ``prepare`` made
of it, such as pixels (uint8 array, [3, height, width])."""

CACHED_CHARACTERS = 256
"""Texts up to this length are remembered with their tokens: captions and answers recur."""

CACHED_TEXTS = 65536


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document as the model sees it.

    Attributes:
        key: the document's key.
        corpus: the document's corpus.
        tokens: token ids; ``IMAGE_TOKEN`` at each position of a visual token.
        labels: the token itself where it is supervised, else ``IGNORE``; the first is ``IGNORE``.
        images: pictures, in the order of their visual tokens.
    """

    key: str
    corpus: str
    tokens: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    images: tuple[Picture, ...]


class PromptEncoder:
    """Turns documents into token ids, labels and image slots.

    Each text segment is tokenised apart and labelled as the segment says, so no label depends on
    counting tokens again; only a question and the fixed strings around it, none of them supervised,
    are tokenised as one. Markup such as ``</s>`` inside a document's text is text, not
    a special token, and a literal ``<image>`` becomes ``<IMAGE>``.

    Args:
        tokenizer: a transformers tokenizer with an EOS token; BOS is used if it has one.
        tokens_per_image: positions that one image takes, or a function that tells.

    Raises:
        ConfigError: the tokenizer has no EOS token.
    """

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", tokens_per_image: Callable[[], int] | int
    ) -> None:
        self.tokenizer = tokenizer
        self._tokens_per_image = tokens_per_image
        if tokenizer.eos_token_id is None:
            raise ConfigError(
                "llm.tokenizer: this tokenizer has no EOS token, so no document could end;"
                " expected a tokenizer with eos_token set"
            )
        self._bos: int | None = tokenizer.bos_token_id
        self._eos: int = tokenizer.eos_token_id
        self._fingerprint: str | None = None
        self._encode = _text_encoder(tokenizer)
        self._cached = lru_cache(CACHED_TEXTS)(self._tokenise)
        first = self._encode("a")
        # SentencePiece puts a space before every piece; doubling the piece's own would train on
        # a token that never follows at generation.
        spelled = tokenizer.convert_ids_to_tokens(list(first)) if first else []
        self._space_added = bool(spelled) and str(spelled[0]).startswith("\u2581")

    @property
    def tokens_per_image(self) -> int:
        """Positions that one image takes."""
        count = self._tokens_per_image
        return count if isinstance(count, int) else count()

    @property
    def pad_id(self) -> int:
        """Token id that fills rows up: the tokenizer's padding, or EOS where it has none."""
        pad: int | None = self.tokenizer.pad_token_id
        return self._eos if pad is None else pad

    def fingerprint(self) -> str:
        """Hash of the tokenizer: the same vocabulary and rules give the same."""
        if self._fingerprint is None:
            backend = getattr(self.tokenizer, "backend_tokenizer", None)
            rules = (
                backend.to_str()
                if backend is not None
                else repr(sorted(self.tokenizer.get_vocab().items()))
            )
            digest = hashlib.sha256(f"{self._bos} {self._eos} {self.pad_id}\n{rules}".encode())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def _tokenise(self, text: str) -> tuple[int, ...]:
        text = text.replace("<image>", "<IMAGE>")
        if self._space_added and text.startswith(" "):
            text = text[1:]
        return self._encode(text) if text else ()

    def text(self, text: str) -> tuple[int, ...]:
        """Token ids of one piece of text, without special tokens."""
        if len(text) <= CACHED_CHARACTERS:
            return self._cached(text)
        return self._tokenise(text)

    def continuation(self, text: str, template: Template = "raw") -> tuple[int, ...]:
        """Token ids of an answer as it would follow ``prompt``, without what closes it.

        Args:
            text: the answer.
            template: a conversation template puts its space before the answer; after a raw
                document the text is taken as it is.

        Raises:
            ConfigError: no such template.
        """
        space = "" if template == "raw" else find_style(template).answer_space
        return self.text(space + text)

    def document(self, document: Document, template: Template = "raw") -> Encoded:
        """A training document: BOS, the pieces, EOS.

        EOS is supervised if the last text is. A text of role ``""`` appears as it is in every
        template.

        Raises:
            ConfigError: no such template.
        """
        style = find_style(template)
        parts = list(pieces(document, style, opened=False))
        texts = [s.loss for s in document.segments if isinstance(s, Text)]
        if not parts or not isinstance(parts[-1], End):
            parts.append(End(bool(texts) and texts[-1]))
        return self._assemble(document, parts)

    def prompt(self, document: Document, template: Template = "raw") -> Encoded:
        """A prompt to be continued: no EOS at its end, an answer opened if a user spoke last.

        Returns:
            All labels are ``IGNORE``.

        Raises:
            ConfigError: no such template.
        """
        parts = list(pieces(document, find_style(template), opened=True))
        encoded = self._assemble(document, parts)
        return Encoded(
            encoded.key,
            encoded.corpus,
            encoded.tokens,
            np.full_like(encoded.labels, IGNORE),
            encoded.images,
        )

    def _assemble(self, document: Document, parts: list[Piece]) -> Encoded:
        tokens: list[int] = []
        labels: list[int] = []
        images: list[bytes] = []
        if self._bos is not None:
            tokens.append(self._bos)
            labels.append(IGNORE)
        frame = ""
        for piece in [*parts, None]:
            if isinstance(piece, Frame):
                frame += piece.text
                continue
            if frame:
                ids = self.text(frame)
                tokens.extend(ids)
                labels.extend((IGNORE,) * len(ids))
                frame = ""
            if isinstance(piece, Text):
                ids = self.text(piece.text)
                tokens.extend(ids)
                labels.extend(ids if piece.loss else (IGNORE,) * len(ids))
            elif isinstance(piece, Image):
                count = self.tokens_per_image
                tokens.extend((IMAGE_TOKEN,) * count)
                labels.extend((IGNORE,) * count)
                images.append(piece.data)
            elif piece is not None:
                tokens.append(self._eos)
                labels.append(self._eos if piece.loss else IGNORE)
        if labels:
            labels[0] = IGNORE
        return Encoded(
            document.key,
            document.corpus,
            np.array(tokens, dtype=np.int64),
            np.array(labels, dtype=np.int64),
            tuple(images),
        )


def _text_encoder(tokenizer: "PreTrainedTokenizerBase") -> Callable[[str], tuple[int, ...]]:
    """The quickest way to token ids that treats special tokens in text as text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return lambda text: tuple(
            tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        )
    private = copy.deepcopy(backend)
    private.encode_special_tokens = True
    private.no_padding()
    private.no_truncation()
    return lambda text: tuple(private.encode(text, add_special_tokens=False).ids)
