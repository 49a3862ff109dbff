"""From documents to token ids and labels: one code for training and evaluation."""

import copy
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.data.chat import Chat
from vilax.data.decoding import header
from vilax.data.document import Document, Image, Text
from vilax.data.encoded import IGNORE, IMAGE_TOKEN, Encoded, Picture
from vilax.data.formats.files import BadSample
from vilax.data.markup import Markup
from vilax.data.templates import Begin, Frame, Piece, Style, find_style, pieces
from vilax.data.tiles import TokensPerImage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["IGNORE", "IMAGE_TOKEN", "Encoded", "Picture", "PromptEncoder"]

NAMED = re.compile(r"<\|\w+\|>")
"""Special tokens in the strings of a named template."""

CACHED_CHARACTERS = 256
"""Texts up to this length are remembered with their tokens: captions and answers recur."""

CACHED_TEXTS = 65536


class PromptEncoder:
    """Turns documents into token ids, labels and image slots.

    Each text segment is tokenised apart and labelled as the segment says, so no label depends on
    counting tokens again; only a question and the fixed strings around it, none of them supervised,
    are tokenised as one. Markup such as ``</s>`` inside a document's text is text, not
    a special token, and a literal ``<image>`` becomes ``<IMAGE>``; in a template's own strings
    special tokens are tokens.

    Args:
        tokenizer: a transformers tokenizer with an EOS token; BOS is used if it has one.
        tokens_per_image: positions that one image takes, or a function of its size that tells.

    Raises:
        ConfigError: the tokenizer has no EOS token.
    """

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", tokens_per_image: TokensPerImage
    ) -> None:
        self.tokenizer = tokenizer
        self.tokens_per_image = tokens_per_image
        if tokenizer.eos_token_id is None:
            raise ConfigError(
                "llm.tokenizer: this tokenizer has no EOS token, so no document could end;"
                " expected a tokenizer with eos_token set"
            )
        self._bos: int | None = tokenizer.bos_token_id
        self._eos: int = tokenizer.eos_token_id
        self._fingerprint: str | None = None
        self._markup = Markup(tokenizer)
        self._styles: dict[Template, Style | Chat] = {}
        self._encode = _text_encoder(tokenizer)
        self._cached = lru_cache(CACHED_TEXTS)(self._tokenise)
        first = self._encode("a")
        # SentencePiece puts a space before every piece; doubling the piece's own would train on
        # a token that never follows at generation.
        spelled = tokenizer.convert_ids_to_tokens(list(first)) if first else []
        self._space_added = bool(spelled) and str(spelled[0]).startswith("\u2581")

    def sized(self, image: Image) -> Image:
        """The image with its size, where the positions that it takes depend on that.

        Raises:
            BadSample: its size is needed, and it is no picture.
        """
        if isinstance(self.tokens_per_image, int) or image.size is not None:
            return image
        return Image(image.data, header(image.data)[1:])

    def positions(self, image: Image) -> int:
        """Positions that an image takes.

        Raises:
            BadSample: as ``sized``.
        """
        count = self.tokens_per_image
        if isinstance(count, int):
            return count
        size = self.sized(image).size
        assert size is not None
        return count(size)

    @property
    def counting(self) -> int | str:
        """How the positions of an image are counted, as JSON: their number, or the rule's text."""
        count = self.tokens_per_image
        return count if isinstance(count, int) else repr(count)

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
            if chat := getattr(self.tokenizer, "chat_template", None):
                digest.update(repr(chat).encode())
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

    def style(self, template: Template) -> Style | Chat:
        """A template on this tokenizer.

        Raises:
            ConfigError: no such template, it names special tokens that the tokenizer lacks, or the
                tokenizer's own cannot be used.
        """
        found = self._styles.get(template)
        if found is None:
            if template == "tokenizer":
                found = Chat(self.tokenizer, self._markup)
            else:
                found = find_style(template)
                strings = (found.system, found.user_prefix, found.assistant_prefix)
                named = {name for one in strings for name in NAMED.findall(one)}
                missing = sorted(n for n in {*named, *found.ends[:1]} if n not in self._markup)
                if missing:
                    raise ConfigError(
                        f"template={template}: the LLM's tokenizer has no special token"
                        f" {', '.join(missing)}; expected an LLM of that family, or a template"
                        " without special tokens, such as vicuna_v1"
                    )
            self._styles[template] = found
        return found

    def stops(self, template: Template) -> list[int]:
        """Ids of the tokens that end an answer: EOS, and those of the template.

        Raises:
            ConfigError: as ``style``.
        """
        ends = [self._markup.id(name) for name in self.style(template).ends if name in self._markup]
        return list(dict.fromkeys([self._eos, *ends]))

    def continuation(self, text: str, template: Template = "raw") -> tuple[int, ...]:
        """Token ids of an answer as it would follow ``prompt``, without what closes it.

        Args:
            text: the answer.
            template: a conversation template puts its space before the answer; after a raw
                document the text is taken as it is.

        Raises:
            ConfigError: no such template.
        """
        space = "" if template == "raw" else self.style(template).answer_space
        return self.text(space + text)

    def document(self, document: Document, template: Template = "raw") -> Encoded:
        """A training document: BOS, the pieces, EOS or what the template has in their place.

        EOS is supervised if the last text is. A text of role ``""`` appears as it is in every
        template.

        Raises:
            ConfigError: no such template, or it does not go with the tokenizer.
            BadSample: the LLM's chat template cannot write this conversation, or the size of a
                picture is needed and cannot be read.
        """
        return self._assemble(document, self.pieces(document, template, opened=False))

    def prompt(self, document: Document, template: Template = "raw") -> Encoded:
        """A prompt to be continued: no EOS at its end, an answer opened if a user spoke last.

        Returns:
            All labels are ``IGNORE``.

        Raises:
            ConfigError: no such template, it does not go with the tokenizer, or the LLM's chat
                template cannot write this prompt.
        """
        try:
            parts = self.pieces(document, template, opened=True)
        except BadSample as error:
            raise ConfigError(f"prompt {document.key}: {error.reason}") from error
        encoded = self._assemble(document, parts)
        return Encoded(
            encoded.key,
            encoded.corpus,
            encoded.tokens,
            np.full_like(encoded.labels, IGNORE),
            encoded.images,
            encoded.spans,
        )

    def pieces(self, document: Document, template: Template, opened: bool) -> list[Piece]:
        """What a document becomes before it is tokenised; ``opened`` as of ``prompt``."""
        style = self.style(template)
        if isinstance(style, Chat):
            return style.pieces(document, opened)
        return list(pieces(document, style, opened))

    def runs(self, frames: Sequence[Frame]) -> Iterator[list[Frame] | int]:
        """Neighbouring frames as they are tokenised: what is joined, and ids of special tokens."""
        run: list[Frame] = []
        for frame in frames:
            start = 0
            for begin, end, number in self._markup.places(frame.text) if frame.fixed else ():
                run.append(Frame(frame.text[start:begin]))
                yield run
                yield number
                run, start = [], end
            run.append(Frame(frame.text[start:], frame.fixed))
        yield run

    def _framed(self, frames: Sequence[Frame]) -> list[int]:
        ids: list[int] = []
        for run in self.runs(frames):
            ids += (run,) if isinstance(run, int) else self.text("".join(f.text for f in run))
        return ids

    def _assemble(self, document: Document, parts: list[Piece]) -> Encoded:
        tokens: list[int] = []
        labels: list[int] = []
        images: list[bytes] = []
        spans: list[int] = []
        frames: list[Frame] = []
        for piece in [*parts, None]:
            if isinstance(piece, Frame):
                frames.append(piece)
                continue
            ids: Sequence[int] = self._framed(frames)
            tokens.extend(ids)
            labels.extend((IGNORE,) * len(ids))
            frames = []
            if isinstance(piece, Text):
                ids = self.text(piece.text)
                tokens.extend(ids)
                labels.extend(ids if piece.loss else (IGNORE,) * len(ids))
            elif isinstance(piece, Image):
                count = self.positions(piece)
                tokens.extend((IMAGE_TOKEN,) * count)
                labels.extend((IGNORE,) * count)
                images.append(piece.data)
                spans.append(count)
            elif isinstance(piece, Begin):
                if self._bos is not None:
                    tokens.append(self._bos)
                    labels.append(IGNORE)
            elif piece is not None:
                end = self._markup.id(piece.token) if piece.token else self._eos
                tokens.append(end)
                labels.append(end if piece.loss else IGNORE)
        if labels:
            labels[0] = IGNORE
        return Encoded(
            document.key,
            document.corpus,
            np.array(tokens, dtype=np.int64),
            np.array(labels, dtype=np.int64),
            tuple(images),
            tuple(spans),
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
