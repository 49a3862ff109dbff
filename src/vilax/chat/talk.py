"""A conversation: examples, turns, and answers that come piece by piece."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vilax.chat.settings import Settings
from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.data.document import Document, Image, Segment, Text
from vilax.data.prompt import Encoded
from vilax.evaluation.subject import Subject
from vilax.models.decoding import generate
from vilax.models.sampling import Sampler, greedy

PATIENCE = 5.0
"""Seconds that a stopped answer is waited for: a long prompt that is being read cannot be left."""


@dataclass(frozen=True)
class Exchange:
    """A question with its answer.

    Attributes:
        question: pictures and texts, in their order.
        answer: what was said to it.
    """

    question: tuple[Segment, ...]
    answer: str

    @property
    def segments(self) -> tuple[Segment, ...]:
        """As a part of a document."""
        return (*self.question, said(self.answer, "assistant"))


@dataclass(frozen=True)
class Asked:
    """A question as the model will see it.

    Attributes:
        question: pictures and texts, in their order.
        prompt: the whole conversation up to the answer.
    """

    question: tuple[Segment, ...]
    prompt: Encoded


def said(text: str, role: str) -> Text:
    """A text of a conversation; nothing in it is trained on."""
    return Text(text, loss=False, role=role)  # type: ignore[arg-type]


@dataclass(eq=False)
class Talk:
    """A conversation.

    Attributes:
        subject: the model.
        template: name of its conversation template.
        shots: examples that stand before the conversation.
        turns: the conversation so far.
    """

    subject: Subject
    template: Template
    shots: list[Exchange] = field(default_factory=list)
    turns: list[Exchange] = field(default_factory=list)
    _halt: threading.Event = field(default_factory=threading.Event)

    def prepare(self, question: Sequence[Segment], settings: Settings) -> Asked:
        """What the model will see of the conversation and a question.

        Raises:
            ConfigError: there is no question, the model takes no pictures, or the context is full.
        """
        if not any(isinstance(one, Text) for one in question):
            beside = " beside the pictures" if question else ""
            raise ConfigError(f"expected a question{beside}")
        before = [*self.shots, *self.turns]
        segments = (*(one for past in before for one in past.segments), *question)
        if self.subject.features is None and any(isinstance(one, Image) for one in segments):
            raise ConfigError("this model is text-only: expected no picture")
        prompt = self.subject.prompts.prompt(Document("chat", "chat", segments), self.template)
        context = self.subject.context
        if context is not None and len(prompt.tokens) + settings.max_new_tokens > context:
            raise ConfigError(
                f"the conversation takes {len(prompt.tokens):,} tokens and an answer up to"
                f" {settings.max_new_tokens:,}, the LLM's context has {context:,}: clear the"
                " conversation, leave out an example, or take fewer new tokens"
            )
        return Asked(tuple(question), prompt)

    def answer(self, asked: Asked, settings: Settings) -> Iterator[str]:
        """The answer, piece by piece; what was said joins the conversation.

        It ends early, and what was said until then counts, after ``stop``. Where the iterator is
        closed before its end, or the model fails, the question is taken back.
        """
        # One of its own: an answer that was left while it read a long prompt must not go on.
        halt = self._halt = threading.Event()
        pieces: queue.Queue[str | BaseException | None] = queue.Queue()
        given = (asked, settings, pieces, halt)
        thread = threading.Thread(target=self._work, args=given, daemon=True)
        thread.start()
        shown: list[str] = []
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                shown.append(piece)
                yield piece
        finally:
            halt.set()
            thread.join(PATIENCE)
        self.turns.append(Exchange(asked.question, "".join(shown).strip()))

    def stop(self) -> None:
        """End the answer that is being made, after the token that is being computed."""
        self._halt.set()

    def _work(
        self,
        asked: Asked,
        settings: Settings,
        pieces: "queue.Queue[str | BaseException | None]",
        halt: threading.Event,
    ) -> None:
        """Make the answer and put what is new of it in line, then None or what went wrong."""
        subject, prompt, shown = self.subject, asked.prompt, ""

        def watch(tokens: Sequence[int]) -> bool:
            nonlocal shown
            text = str(subject.tokenizer.decode(list(tokens), skip_special_tokens=True))
            # A character of several tokens is shown once it is whole.
            if not text.endswith("\ufffd") and len(text) > len(shown):
                pieces.put(text[len(shown) :])
                shown = text
            return halt.is_set()

        try:
            features = None
            if prompt.images and subject.features is not None:
                features = subject.features(prompt.images).to(subject.model.device)
            heat = settings.temperature
            (tokens,) = generate(
                subject.model,
                [prompt.tokens.tolist()],
                [features],
                settings.max_new_tokens,
                subject.prompts.stops(self.template),
                subject.prompts.pad_id,
                finished=watch,
                pick=Sampler(heat, settings.seed) if heat else greedy,
            )
            watch(tokens)
            pieces.put(None)
        except BaseException as error:
            pieces.put(error)
