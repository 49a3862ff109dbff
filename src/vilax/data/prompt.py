"""From documents to token ids and labels: one code for training and evaluation."""

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int64

from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.data import Template
from vilax.data.document import Document, Image, Segment, Text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IMAGE_TOKEN = -200
"""Stands at every position that a visual token takes."""

IGNORE = -100
"""Label of a position without loss."""

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
        images: encoded pictures, in the order of their visual tokens.
    """

    key: str
    corpus: str
    tokens: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    images: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """The fixed strings of a template; none is supervised but what closes an assistant's turn.

    Attributes:
        system: opens the document.
        user_prefix: before a user's turn.
        user_suffix: after it.
        assistant_prefix: before an answer; a prompt ends with it.
        assistant_suffix: after an answer.
        answer_space: put before an answer and tokenised with it, so that a prompt that ends with
            ``assistant_prefix`` continues with the tokens seen in training.
        turn_gap: before each user's turn but the first.
        image_suffix: after each image of a user's turn.
        image_first: images of a user's turn stand before ``user_prefix``.
        drop_user: user texts are thrown away, their images kept.
        close_turns: every answer ends with EOS, not the document's last alone.
    """

    system: str = ""
    user_prefix: str = ""
    user_suffix: str = ""
    assistant_prefix: str = ""
    assistant_suffix: str = ""
    answer_space: str = ""
    turn_gap: str = ""
    image_suffix: str = ""
    image_first: bool = False
    drop_user: bool = False
    close_turns: bool = False


_VICUNA = Style(
    user_prefix="USER: ",
    user_suffix=" ",
    assistant_prefix="ASSISTANT:",
    answer_space=" ",
    image_suffix="\n",
    close_turns=True,
)

_VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
)

STYLES: dict[Template, Style] = {
    "raw": Style(answer_space=" ", turn_gap=" "),
    "plain": Style(assistant_suffix="\n", drop_user=True),
    "qa": Style(
        user_prefix="question : ",
        user_suffix=" ",
        assistant_prefix="answer :",
        answer_space=" ",
        turn_gap=" ",
        image_first=True,
    ),
    "vicuna_v1": Style(
        system=_VICUNA_SYSTEM,
        user_prefix=_VICUNA.user_prefix,
        user_suffix=_VICUNA.user_suffix,
        assistant_prefix=_VICUNA.assistant_prefix,
        answer_space=_VICUNA.answer_space,
        image_suffix=_VICUNA.image_suffix,
        close_turns=True,
    ),
    "vicuna_v1_nosys": _VICUNA,
}
"""Template by name. Shapes of ``plain`` and ``vicuna_v1``: LLaVA's conversation.py."""


@dataclass(frozen=True, slots=True)
class _Turn:
    role: Literal["", "user", "assistant"]
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around answers; neighbours are joined and tokenised as one."""

    text: str


@dataclass(frozen=True, slots=True)
class _End:
    """EOS, supervised or not."""

    loss: bool


_Piece = Text | Image | _Frame | _End


def _turns(segments: tuple[Segment, ...]) -> list[_Turn]:
    """Group segments into turns; images wait for the text that follows them."""
    turns: list[_Turn] = []
    waiting: list[Segment] = []
    for segment in segments:
        waiting.append(segment)
        if isinstance(segment, Image):
            continue
        if turns and turns[-1].role == segment.role:
            turns[-1].segments.extend(waiting)
        else:
            turns.append(_Turn(segment.role, waiting))
        waiting = []
    if waiting:
        if turns and turns[-1].role != "assistant":
            turns[-1].segments.extend(waiting)
        else:
            turns.append(_Turn("user" if turns else "", waiting))
    return turns


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
        space = "" if template == "raw" else _style(template).answer_space
        return self.text(space + text)

    def document(self, document: Document, template: Template = "raw") -> Encoded:
        """A training document: BOS, the pieces, EOS.

        EOS is supervised if the last text is. A text of role ``""`` appears as it is in every
        template.

        Raises:
            ConfigError: no such template.
        """
        style = _style(template)
        pieces = list(_pieces(document, style, opened=False))
        texts = [s.loss for s in document.segments if isinstance(s, Text)]
        if not pieces or not isinstance(pieces[-1], _End):
            pieces.append(_End(bool(texts) and texts[-1]))
        return self._assemble(document, pieces)

    def prompt(self, document: Document, template: Template = "raw") -> Encoded:
        """A prompt to be continued: no EOS at its end, an answer opened if a user spoke last.

        Returns:
            All labels are ``IGNORE``.

        Raises:
            ConfigError: no such template.
        """
        pieces = list(_pieces(document, _style(template), opened=True))
        encoded = self._assemble(document, pieces)
        return Encoded(
            encoded.key,
            encoded.corpus,
            encoded.tokens,
            np.full_like(encoded.labels, IGNORE),
            encoded.images,
        )

    def _assemble(self, document: Document, pieces: list[_Piece]) -> Encoded:
        tokens: list[int] = []
        labels: list[int] = []
        images: list[bytes] = []
        if self._bos is not None:
            tokens.append(self._bos)
            labels.append(IGNORE)
        frame = ""
        for piece in [*pieces, None]:
            if isinstance(piece, _Frame):
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


def _style(template: Template) -> Style:
    style = STYLES.get(template)
    if style is None:
        raise unknown("template", template, STYLES)
    return style


def _pieces(document: Document, style: Style, opened: bool) -> Iterator[_Piece]:
    """What a document becomes before it is tokenised.

    Args:
        document: the document.
        style: its template.
        opened: leave the last turn open for a continuation.
    """
    segments = document.segments
    if all(isinstance(s, Image) or not s.role for s in segments) and not style.drop_user:
        yield from segments
        return
    yield _Frame(style.system)
    turns = _turns(segments)
    for number, turn in enumerate(turns):
        left_open = opened and number == len(turns) - 1
        if turn.role == "user":
            yield from _user(turn, style, first=number == 0)
            if left_open:
                yield _Frame(style.assistant_prefix)
        elif turn.role == "assistant":
            yield from _assistant(turn, style, left_open)
        else:
            for segment in turn.segments:
                yield segment
                if isinstance(segment, Text) and style.drop_user:
                    yield Text(style.assistant_suffix, segment.loss)


def _user(turn: _Turn, style: Style, first: bool) -> Iterator[_Piece]:
    pictures = [s for s in turn.segments if isinstance(s, Image)]
    if style.drop_user:
        yield from pictures
        return
    if not first:
        yield _Frame(style.turn_gap)
    if style.image_first:
        yield from pictures
    yield _Frame(style.user_prefix)
    for segment in turn.segments:
        if isinstance(segment, Text):
            yield segment if segment.loss else _Frame(segment.text)
        elif not style.image_first:
            yield segment
            yield _Frame(style.image_suffix)
    yield _Frame(style.user_suffix)


def _assistant(turn: _Turn, style: Style, left_open: bool) -> Iterator[_Piece]:
    yield _Frame(style.assistant_prefix)
    space = style.answer_space
    for segment in turn.segments:
        if isinstance(segment, Text):
            yield Text(space + segment.text, segment.loss)
            space = ""
        else:
            yield segment
    if not left_open:
        yield Text(style.assistant_suffix, _loss(turn))
        if style.close_turns:
            yield _End(_loss(turn))


def _loss(turn: _Turn) -> bool:
    texts = [s.loss for s in turn.segments if isinstance(s, Text)]
    return bool(texts) and texts[-1]


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
