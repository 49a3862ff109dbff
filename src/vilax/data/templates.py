"""Templates: what stands around turns, and which of it is supervised."""

from collections.abc import Iterator
from dataclasses import dataclass

from vilax.config.errors import unknown
from vilax.config.schema.data import Template
from vilax.data.document import Document, Image, Role, Segment, Text


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
        ends: special tokens that end an answer; the first closes it in training, in place of EOS.
        opens: the document begins with BOS, where the tokenizer has one.
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
    ends: tuple[str, ...] = ()
    opens: bool = True


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

_ASSISTANT_SYSTEM = (
    "You are a helpful language and vision assistant. "
    "You are able to understand the visual content that the user provides, "
    "and assist the user with a variety of tasks using natural language."
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
    "llama_3": Style(
        system="<|start_header_id|>system<|end_header_id|>\n\n" + _ASSISTANT_SYSTEM + "<|eot_id|>",
        user_prefix="<|start_header_id|>user<|end_header_id|>\n\n",
        user_suffix="<|eot_id|>",
        assistant_prefix="<|start_header_id|>assistant<|end_header_id|>\n\n",
        image_suffix="\n",
        close_turns=True,
        # VILA closes the last answer with the second: its weights are stopped by either.
        ends=("<|eot_id|>", "<|end_of_text|>"),
    ),
    "hermes-2": Style(
        system="<|im_start|>system\nAnswer the questions.<|im_end|>",
        user_prefix="<|im_start|>user\n",
        user_suffix="<|im_end|>",
        assistant_prefix="<|im_start|>assistant\n",
        image_suffix="\n",
        close_turns=True,
        ends=("<|im_end|>",),
        opens=False,
    ),
}
"""Template by name. Shapes of ``plain`` and ``vicuna_v1``: LLaVA's conversation.py; of ``llama_3``
and ``hermes-2``, with their system sentences: VILA-1.5's. ``tokenizer``, the LLM's own chat
template, is ``vilax.data.chat``'s."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says before the other does."""

    role: Role
    segments: list[Segment]

    @property
    def loss(self) -> bool:
        """Whether its last text is supervised, and so what closes it."""
        texts = [s.loss for s in self.segments if isinstance(s, Text)]
        return bool(texts) and texts[-1]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around answers; neighbours are joined and tokenised as one.

    Attributes:
        text: the text.
        fixed: it is the template's, so that special tokens in it are tokens.
    """

    text: str
    fixed: bool = True


@dataclass(frozen=True, slots=True)
class Begin:
    """BOS, where the tokenizer has one."""


@dataclass(frozen=True, slots=True)
class End:
    """What ends an answer or a document: a special token, EOS unless named; supervised or not."""

    loss: bool
    token: str = ""


Piece = Text | Image | Frame | Begin | End


def turns_of(segments: tuple[Segment, ...]) -> list[Turn]:
    """Group segments into turns; images wait for the text that follows them."""
    turns: list[Turn] = []
    waiting: list[Segment] = []
    for segment in segments:
        waiting.append(segment)
        if isinstance(segment, Image):
            continue
        if turns and turns[-1].role == segment.role:
            turns[-1].segments.extend(waiting)
        else:
            turns.append(Turn(segment.role, waiting))
        waiting = []
    if waiting:
        if turns and turns[-1].role != "assistant":
            turns[-1].segments.extend(waiting)
        else:
            turns.append(Turn("user" if turns else "", waiting))
    return turns


def find_style(template: Template) -> Style:
    """The template of a name; ``ConfigError`` if there is none."""
    style = STYLES.get(template)
    if style is None:
        raise unknown("template", template, [*STYLES, "tokenizer"])
    return style


def is_raw(document: Document) -> bool:
    """Whether nobody in particular speaks, so that the document is taken as it is."""
    return all(isinstance(s, Image) or not s.role for s in document.segments)


def raw_pieces(document: Document, opened: bool) -> Iterator[Piece]:
    """A document as it is, between BOS and EOS; ``opened`` leaves EOS out."""
    yield Begin()
    yield from document.segments
    if not opened:
        yield _end_of(document)


def pieces(document: Document, style: Style, opened: bool) -> Iterator[Piece]:
    """What a document becomes before it is tokenised.

    Args:
        document: the document.
        style: its template.
        opened: leave the last turn open for a continuation.
    """
    if is_raw(document) and not style.drop_user:
        yield from raw_pieces(document, opened)
        return
    if style.opens:
        yield Begin()
    yield Frame(style.system)
    turns = turns_of(document.segments)
    for number, turn in enumerate(turns):
        left_open = opened and number == len(turns) - 1
        if turn.role == "user":
            yield from _user(turn, style, first=number == 0)
            if left_open:
                yield Frame(style.assistant_prefix)
        elif turn.role == "assistant":
            yield from _assistant(turn, style, left_open)
        else:
            for segment in turn.segments:
                yield segment
                if isinstance(segment, Text) and style.drop_user:
                    yield Text(style.assistant_suffix, segment.loss)
    closed = bool(turns) and turns[-1].role == "assistant" and style.close_turns
    if not opened and not closed:
        yield _end_of(document)


def _end_of(document: Document) -> End:
    texts = [s.loss for s in document.segments if isinstance(s, Text)]
    return End(bool(texts) and texts[-1])


def _user(turn: Turn, style: Style, first: bool) -> Iterator[Piece]:
    pictures = [s for s in turn.segments if isinstance(s, Image)]
    if style.drop_user:
        yield from pictures
        return
    if style.image_first and pictures:
        yield from pictures
    elif not first:
        yield Frame(style.turn_gap)
    yield Frame(style.user_prefix)
    for segment in turn.segments:
        if isinstance(segment, Text):
            yield segment if segment.loss else Frame(segment.text, fixed=False)
        elif style.image_first:
            yield Frame(" " if segment is not turn.segments[0] else "")
        else:
            yield segment
            yield Frame(style.image_suffix)
    yield Frame(style.user_suffix)


def _assistant(turn: Turn, style: Style, left_open: bool) -> Iterator[Piece]:
    yield Frame(style.assistant_prefix)
    space = style.answer_space
    for segment in turn.segments:
        if isinstance(segment, Text):
            yield Text(space + segment.text, segment.loss)
            space = ""
        else:
            yield segment
    if not left_open:
        yield Text(style.assistant_suffix, turn.loss)
        if style.close_turns:
            yield End(turn.loss, style.ends[0] if style.ends else "")
