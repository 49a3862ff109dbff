"""The chat template of the LLM's own tokenizer, split into what is said and what stands around it.

Labels come from segments: a conversation is rendered once as transformers renders it, and cut where
its own texts are. Where that cannot be done for sure, the template is refused.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from vilax.config.errors import ConfigError
from vilax.data.document import Document, Image, Role, Segment, Text
from vilax.data.formats.files import BadSample
from vilax.data.markup import Markup
from vilax.data.templates import End, Frame, Piece, Turn, is_raw, raw_pieces, turns_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IMAGE = "<image>"
"""Stands for a picture while a conversation is rendered; texts have ``<IMAGE>`` in its place."""

DAY = {"%d": "26", "%B": "July", "%b": "Jul", "%m": "07", "%Y": "2024", "%y": "24"}

PREAMBLE = (
    "{% set enable_thinking = false %}{% macro strftime_now(format) %}{{ format"
    + "".join(f" | replace('{code}', '{value}')" for code, value in DAY.items())
    + " }}{% endmacro %}\n"
)
"""Put before a template: answers hold no thoughts, and where the day's date is written it is always
the one that Llama 3.1's own falls back to, so that training and evaluation agree on any day."""

TRIMS: tuple[Callable[[str], str], ...] = (
    str,
    str.strip,
    str.lstrip,
    str.rstrip,
    lambda text: text.lstrip("\n"),
    lambda text: text.strip("\n"),
)
"""What templates do to the ends of a text; anything else is a change of what is said."""

TALKS: tuple[tuple[str, ...], ...] = (
    ("a", "b"),
    ("a", "b", "c", "d"),
    ('Two  words &\n\n"<b>lines</b>"?', "It's so:\n- one\n- two.", "?", "A, b\tc!"),
)


class Chat:
    """A tokenizer's chat template as a source of pieces.

    Args:
        tokenizer: a transformers tokenizer.
        markup: its special tokens.

    Attributes:
        template: the jinja text that is rendered, preamble included.
        answer_space: white space between a prompt's end and the answer in training.
        ends: special tokens that close an answer.

    Raises:
        ConfigError: it has no chat template, or one that raises, changes what is said, closes
            answers with no special token, or opens an answer otherwise at evaluation.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", markup: Markup) -> None:
        self._tokenizer = tokenizer
        self._markup = markup
        self._known: dict[tuple[tuple[Role, ...], bool], list[str]] = {}
        self.answer_space = ""
        self.ends: tuple[str, ...] = ()
        name = tokenizer.name_or_path or type(tokenizer).__name__
        if not tokenizer.chat_template:
            raise ConfigError(
                f"template=tokenizer: the tokenizer {name} has no chat_template; expected one that"
                " has, or a named template such as vicuna_v1"
            )
        try:
            self.template = PREAMBLE + tokenizer.get_chat_template()
            self._probe()
        except (ValueError, BadSample) as error:
            reason = error.reason if isinstance(error, BadSample) else str(error)
            raise ConfigError(
                f"template=tokenizer: the chat template of {name} cannot be split into what is"
                f" said and what stands around it: {reason}; expected a named template such as"
                " vicuna_v1"
            ) from error

    def pieces(self, document: Document, opened: bool) -> list[Piece]:
        """What a document becomes before it is tokenised.

        Args:
            document: the document.
            opened: leave the last turn open for a continuation.

        Raises:
            BadSample: the template cannot write it, or changes what is said.
        """
        if is_raw(document):
            return list(raw_pieces(document, opened))
        try:
            return list(self._pieces(document, opened))
        except ValueError as error:
            raise BadSample(document.key, f"the LLM's chat template {error}") from error

    def _pieces(self, document: Document, opened: bool) -> Iterator[Piece]:
        turns = turns_of(document.segments)
        if any(not turn.role for turn in turns):
            raise ValueError("has no place for a text outside turns")
        roles = tuple(turn.role for turn in turns)
        parts = [_parts(turn) for turn in turns]
        answering = opened and roles[-1] == "user"
        frames = self._frames(roles, answering)
        said = ["".join(text for _, text in some) for some in parts]
        cuts = _cuts(self._render(roles, said, answering), frames, said)
        before = frames[0]
        for number, turn in enumerate(turns):
            after = frames[number + 1]
            kept = _cut(parts[number], *cuts[number])
            if turn.role == "user":
                yield Frame(before)
                yield from _asked(kept)
            else:
                yield from self._answered(before, kept)
                if opened and number == len(turns) - 1:
                    return
                space, end, after = self._closed(after)
                yield Text(space, turn.loss)
                yield End(turn.loss, end)
            before = after
        yield Frame(before)

    def _answered(
        self, before: str, parts: Sequence[tuple[Segment | None, str]]
    ) -> Iterator[Piece]:
        space = self.answer_space if before.endswith(self.answer_space) else ""
        yield Frame(before[: len(before) - len(space)])
        for segment, text in parts:
            if isinstance(segment, Text):
                yield Text(space + text, segment.loss)
                space = ""
            elif segment is not None:
                yield segment

    def _closed(self, after: str) -> tuple[str, str, str]:
        """White space, the special token that ends an answer, and what follows it."""
        start, end, number = next(self._markup.places(after), (0, 0, None))
        if number is None or after[:start].strip():
            raise ValueError(f"ends an answer with {after!r}, where no special token comes first")
        return after[:start], self._markup.name(number), after[end:]

    def _frames(self, roles: tuple[Role, ...], answering: bool) -> list[str]:
        """What stands before, between and after turns of these roles."""
        known = self._known.get((roles, answering))
        if known is None:
            marks = [f"zq{number}qz" for number in range(len(roles))]
            rest = self._render(roles, marks, answering)
            known = []
            for mark in marks:
                frame, found, rest = rest.partition(mark)
                if not found or mark in rest:
                    raise ValueError("leaves a turn out, repeats one or changes what is said")
                known.append(frame)
            known.append(rest)
            self._known[(roles, answering)] = known
        return known

    def _render(self, roles: Sequence[Role], said: Sequence[str], answering: bool) -> str:
        talk = [{"role": r, "content": text} for r, text in zip(roles, said, strict=True)]
        try:
            rendered = self._tokenizer.apply_chat_template(
                talk, tokenize=False, chat_template=self.template, add_generation_prompt=answering
            )
        except (TemplateError, TypeError, KeyError, ValueError) as error:
            raise ValueError(f"refuses turns of {', '.join(roles)}: {error}") from error
        return str(rendered)

    def _probe(self) -> None:
        """See that it can be used, by conversations that any data have."""
        asked, talk = self._frames(("user",), True), self._frames(("user", "assistant"), False)
        self.answer_space = talk[1].removeprefix(asked[1])
        for turns in (1, 3):
            roles: tuple[Role, ...] = ("user", "assistant", "user", "assistant")
            asked = self._frames(roles[:turns], True)
            talk = self._frames(roles[: turns + 1], False)
            wanted = [*asked[:-1], asked[-1] + self.answer_space]
            if wanted != talk[:-1] or self.answer_space.strip():
                raise ValueError(
                    f"opens an answer with {asked[-1]!r} at evaluation, but has"
                    f" {talk[turns]!r} before it in training"
                )
        ends = [self._closed(frame)[1] for frame in (talk[2], talk[4])]
        self.ends = tuple(dict.fromkeys(ends))
        for texts in TALKS:
            said = [
                Text(text, role="assistant" if number % 2 else "user")
                for number, text in enumerate(texts)
            ]
            list(self._pieces(Document("probe", "probe", tuple(said)), opened=False))


def _parts(turn: Turn) -> list[tuple[Segment | None, str]]:
    """A turn's segments with their text; None: what follows a user's picture."""
    parts: list[tuple[Segment | None, str]] = []
    for segment in turn.segments:
        if isinstance(segment, Text):
            parts.append((segment, segment.text.replace(IMAGE, "<IMAGE>")))
        else:
            parts.append((segment, IMAGE))
            if turn.role == "user":
                parts.append((None, "\n"))
    return parts


def _asked(parts: Sequence[tuple[Segment | None, str]]) -> Iterator[Piece]:
    for segment, text in parts:
        if isinstance(segment, Image):
            yield segment
        elif segment is None:
            yield Frame(text)
        else:
            yield Text(text, loss=True) if segment.loss else Frame(text, fixed=False)


def _cuts(rendered: str, frames: Sequence[str], said: Sequence[str]) -> list[tuple[int, int]]:
    """How many characters the template took off each text, in front and behind."""
    at, cuts = len(frames[0]), []
    if not rendered.startswith(frames[0]):
        raise ValueError("writes other things around what is said, depending on it")
    for text, frame in zip(said, frames[1:], strict=True):
        for trim in TRIMS:
            kept = trim(text)
            if rendered.startswith(kept + frame, at):
                front = len(text) - len(text.lstrip()) if not kept else text.index(kept)
                cuts.append((front, len(text) - front - len(kept)))
                at += len(kept + frame)
                break
        else:
            raise ValueError(f"changes what is said: {text[:60]!r}")
    if at != len(rendered):
        raise ValueError("writes other things around what is said, depending on it")
    return cuts


def _cut(
    parts: Sequence[tuple[Segment | None, str]], front: int, behind: int
) -> list[tuple[Segment | None, str]]:
    """Parts without so many characters in front and behind, all of them white space."""
    kept = []
    for segment, text in parts:
        taken = min(front, len(text))
        front -= taken
        kept.append((segment, text[taken:]))
    for place in range(len(kept) - 1, -1, -1):
        segment, text = kept[place]
        taken = min(behind, len(text))
        behind -= taken
        kept[place] = (segment, text[: len(text) - taken])
    return kept
