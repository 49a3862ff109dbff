"""What both harnesses ask of a model: greedy answers up to a stop, likelihoods of continuations."""

import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from rich.console import Console
from rich.progress import track

from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.data.templates import find_style
from vilax.evaluation.batches import Batch, plan_batches
from vilax.evaluation.subject import Subject
from vilax.models.decoding import generate, score
from vilax.models.views import Visual

Item = TypeVar("Item")

LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""What tasks of the harnesses call the longest answer; the first that is given counts."""

BATCH_TOKENS = 65536
"""Tokens computed together at most, padding included."""

PLAIN = {"num_beams": 1, "num_return_sequences": 1, "repetition_penalty": 1}
"""Settings of decoding that leave it greedy at these values alone."""


@dataclass(frozen=True)
class Asking:
    """One prompt.

    Attributes:
        tokens: token ids, ``IMAGE_TOKEN`` where a visual token stands.
        pictures: encoded pictures in the order of their tokens.
        spans: visual tokens of each picture.
        group: prompts of one group may begin alike, which is then computed once.
    """

    tokens: tuple[int, ...]
    pictures: tuple[bytes, ...]
    spans: tuple[int, ...]
    group: Hashable


@dataclass(frozen=True)
class Greedy:
    """How an answer is generated.

    Attributes:
        most: new tokens, at most.
        stops: texts that end an answer and are no part of it.
    """

    most: int
    stops: tuple[str, ...]

    def cut(self, text: str) -> str:
        """What stands before the first stop."""
        return min((text.partition(stop)[0] for stop in self.stops), key=len, default=text)


def read_template(name: str) -> Template:
    """The template of a name, if questions can be asked in it.

    Raises:
        ConfigError: there is none, or it throws a user's text away.
    """
    template = cast(Template, name)
    if template != "tokenizer" and find_style(template).drop_user:
        raise ConfigError(
            f"template={name}: it leaves out what the user says, so nothing would be asked;"
            " expected raw, qa or a conversation template"
        )
    return template


def read_greedy(settings: Mapping[str, Any], most: int) -> Greedy:
    """How a harness's task wants its answers.

    Args:
        settings: the task's ``generation_kwargs``.
        most: new tokens where they give no number.

    Raises:
        ConfigError: the task samples or searches.
    """
    warm = settings.get("temperature")
    samples = settings.get("do_sample")
    if (samples is not False and float(warm or 0) > 0) or (samples and warm is None):
        raise ConfigError(
            f"generation_kwargs: do_sample={samples}, temperature={warm}: vilax decodes greedily;"
            " expected do_sample=False or temperature=0 (--gen-kwargs do_sample=False)"
        )
    for name, value in PLAIN.items():
        given = settings.get(name)
        if given is not None and float(given) != value:
            raise ConfigError(
                f"generation_kwargs: {name}={given}: vilax decodes greedily; expected {value}"
            )
    lengths = [settings[name] for name in LENGTHS if settings.get(name) is not None]
    until = settings.get("until") or ()
    stops = [until] if isinstance(until, str) else until
    return Greedy(int(lengths[0]) if lengths else most, tuple(stop for stop in stops if stop))


class Answerer:
    """Asks a model in batches.

    Args:
        subject: the model.
        template: of the prompts; its tokens that end a turn end an answer.
        batch: prompts computed together, at most.
        visible: show progress on stderr.
    """

    def __init__(self, subject: Subject, template: Template, batch: int, visible: bool) -> None:
        self.subject, self.template = subject, template
        self.batch, self.visible = batch, visible

    def generate(self, asked: Sequence[Asking], how: Sequence[Greedy]) -> list[str]:
        """Greedy answer to each prompt, cut before the first of its stops.

        An answer has at most the tokens that its prompt leaves of the model's context.

        Raises:
            ConfigError: a prompt shows pictures to a text-only model, or fills the context.
        """
        kinds: dict[Greedy, list[int]] = {}
        for index, (one, own) in enumerate(zip(asked, how, strict=True)):
            most = min(own.most, self._room(one, 1))
            kinds.setdefault(replace(own, most=most), []).append(index)
        answers = [""] * len(asked)
        batches = [
            (own, [members[place] for place in batch.indices], batch.shared)
            for own, members in kinds.items()
            for batch in self._plan([asked[index] for index in members])
        ]
        for own, indices, shared in self._tracked(batches, "answering"):
            found = self._generate([asked[index] for index in indices], own, shared)
            for index, text in zip(indices, found, strict=True):
                answers[index] = text
        return answers

    def score(
        self, asked: Sequence[Asking], continuations: Sequence[Sequence[int]]
    ) -> list[tuple[float, bool]]:
        """Log-likelihood of each prompt's continuation, and whether greedy decoding gives it.

        Equal prompts are computed once. An empty continuation is certain.

        Raises:
            ConfigError: a prompt shows pictures to a text-only model, or does not fit into the
                context with its continuation.
        """
        wanted: dict[Asking, dict[tuple[int, ...], None]] = {}
        for one, continuation in zip(asked, continuations, strict=True):
            if continuation:
                # The last token is said, but nothing is asked after it.
                self._room(one, len(continuation) - 1)
                wanted.setdefault(one, {})[tuple(continuation)] = None
        prompts = list(wanted)
        found: dict[tuple[Asking, tuple[int, ...]], tuple[float, bool]] = {}
        for batch in self._tracked(self._plan(prompts), "ranking"):
            members = [prompts[index] for index in batch.indices]
            candidates = [list(wanted[one]) for one in members]
            for one, some, values in zip(
                members, candidates, self._score(members, candidates, batch.shared), strict=True
            ):
                found.update(((one, c), value) for c, value in zip(some, values, strict=True))
        return [
            found[one, tuple(continuation)] if continuation else (0.0, True)
            for one, continuation in zip(asked, continuations, strict=True)
        ]

    def _plan(self, asked: Sequence[Asking]) -> list[Batch]:
        return plan_batches(
            [one.tokens for one in asked],
            [list(zip(one.pictures, one.spans, strict=True)) for one in asked],
            [one.group for one in asked],
            self.batch,
            most_tokens=BATCH_TOKENS,
        )

    def _tracked(self, items: Sequence[Item], what: str) -> Iterator[Item]:
        console = Console(stderr=True)
        yield from track(items, what, console=console, transient=True, disable=not self.visible)

    def _room(self, one: Asking, least: int) -> int:
        """Tokens that may follow a prompt."""
        context = self.subject.context
        if context is None:
            return sys.maxsize
        if len(one.tokens) + least > context:
            raise ConfigError(
                f"a prompt of {one.group} with {len(one.pictures)} pictures takes"
                f" {len(one.tokens)} tokens: the LLM's context has {context}, answer included"
            )
        return context - len(one.tokens)

    def _generate(self, asked: Sequence[Asking], how: Greedy, shared: int) -> list[str]:
        tokenizer = self.subject.tokenizer

        def text(tokens: Sequence[int]) -> str:
            return str(tokenizer.decode(list(tokens), skip_special_tokens=True))

        def finished(tokens: Sequence[int]) -> bool:
            said = text(tokens)
            return any(stop in said for stop in how.stops)

        found = generate(
            self.subject.model,
            [one.tokens for one in asked],
            self._features(asked),
            how.most,
            self.subject.prompts.stops(self.template),
            self.subject.prompts.pad_id,
            shared=shared,
            finished=finished if how.stops else None,
        )
        return [how.cut(text(tokens)) for tokens in found]

    def _score(
        self, asked: Sequence[Asking], candidates: Sequence[list[tuple[int, ...]]], shared: int
    ) -> list[list[tuple[float, bool]]]:
        model, pad = self.subject.model, self.subject.prompts.pad_id
        prompts, features = [one.tokens for one in asked], self._features(asked)
        likely = score(model, prompts, candidates, features, pad, shared=shared)
        longest = max(len(one) for some in candidates for one in some)
        starts = {one[: n + 1] for some in candidates for one in some for n in range(len(one))}
        # What the model says itself, as long as it is the start of a candidate.
        said = generate(
            model, prompts, features, longest, [], pad, shared=shared,
            finished=lambda tokens: tuple(tokens) not in starts,
        )  # fmt: skip
        return [
            [
                (value, tuple(own[: len(one)]) == one)
                for one, value in zip(some, values, strict=True)
            ]
            for some, values, own in zip(candidates, likely, said, strict=True)
        ]

    def _features(self, asked: Sequence[Asking]) -> list[Visual | None]:
        """Features of each prompt's pictures; every picture is encoded once."""
        place: dict[bytes, int] = {}
        for one in asked:
            for picture in one.pictures:
                place.setdefault(picture, len(place))
        if not place:
            return [None] * len(asked)
        if self.subject.features is None:
            raise ConfigError("a text-only model cannot be asked about pictures")
        features = self.subject.features(list(place))
        features = features.to(self.subject.model.device, self.subject.dtype)
        return [
            features[[place[picture] for picture in one.pictures]] if one.pictures else None
            for one in asked
        ]
