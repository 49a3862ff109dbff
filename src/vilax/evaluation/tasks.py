"""How each kind of task asks and scores: by generation or by the likelihood of candidates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.config.schema.evaluation import (
    BindingTask,
    CaptionTask,
    ClassifyTask,
    OpenAnswerTask,
    RelationTask,
    WorldTask,
)
from vilax.data.templates import find_style
from vilax.evaluation.items import Item, Split
from vilax.evaluation.metrics.accuracy import exact_match, guess_level
from vilax.evaluation.metrics.cider import cider
from vilax.evaluation.metrics.ptb import ptb_tokenise
from vilax.evaluation.metrics.vqa import vqa_soft_accuracy

PEOPLE = 10
"""Answers that VQA accuracy expects of a question."""


@dataclass(frozen=True)
class Protocol:
    """What the runner needs to know of a kind of task.

    Attributes:
        metric: name of the per-item score, shown in results.
        rule: how the score is made, in words, kept with the results.
        generates: greedy generation; else the likeliest candidate is taken.
        asks: what the query is written with: a ``question`` or a ``format``.
        score: items and answers to a score for each item, 0 to 1.
    """

    metric: str
    rule: str
    generates: bool
    asks: Literal["question", "format"]
    score: Callable[[Sequence[Item], Sequence[str]], list[float]]


def exact(items: Sequence[Item], answers: Sequence[str]) -> list[float]:
    """1 where the answer is one of the right ones."""
    return [exact_match(answer, item.answers) for item, answer in zip(items, answers, strict=True)]


def open_answers(items: Sequence[Item], answers: Sequence[str]) -> list[float]:
    """VQA accuracy; fewer than four references stand for ten people, each for as many of them."""
    scores = []
    for item, answer in zip(items, answers, strict=True):
        people = item.answers if len(item.answers) >= 4 else item.answers * PEOPLE
        scores.append(vqa_soft_accuracy(answer, people, "open_flamingo"))
    return scores


def captions(items: Sequence[Item], answers: Sequence[str]) -> list[float]:
    """CIDEr-D of each caption, as a share of its largest value (10).

    Document frequencies are those of the references of these items.
    """
    hypotheses = {
        item.id: ptb_tokenise(answer) for item, answer in zip(items, answers, strict=True)
    }
    references = {item.id: [ptb_tokenise(one) for one in item.answers] for item in items}
    scores = cider(hypotheses, references).per_image
    return [scores[item.id] / 10.0 for item in items]


_RANKED = "likeliest candidate by summed log-likelihood; right if it is an answer"

PROTOCOLS: Mapping[str, Protocol] = {
    "open_answer": Protocol(
        "vqa_accuracy",
        "leave one out, always normalised (open_flamingo)",
        True,
        "question",
        open_answers,
    ),
    "caption": Protocol(
        "cider_d / 10",
        "CIDEr-D, tokens of vilax's ptb_tokenise, idf of these items",
        True,
        "question",
        captions,
    ),
    "classify": Protocol("accuracy", _RANKED, False, "question", exact),
    "relation": Protocol("accuracy", _RANKED, False, "format", exact),
    "binding": Protocol("accuracy", _RANKED, False, "format", exact),
}


def template_of(task: WorldTask) -> Template:
    """The template of a task's prompts."""
    return task.template if isinstance(task, OpenAnswerTask | CaptionTask | ClassifyTask) else "raw"


def modality_of(task: WorldTask) -> Literal["image", "text"]:
    """Whether items are shown as pictures or named in text."""
    return task.modality if isinstance(task, RelationTask | BindingTask) else "image"


def new_tokens(task: WorldTask) -> int:
    """Tokens that a task generates at most; 0 where candidates are ranked."""
    return task.max_new_tokens if isinstance(task, OpenAnswerTask | CaptionTask) else 0


def chance(task: WorldTask, items: Sequence[Item]) -> float | None:
    """Expected score of a blind guess among the candidates; None where answers are free."""
    if PROTOCOLS[task.kind].generates:
        return None
    return fmean(guess_level(item.candidates or (), item.answers) for item in items)


def check_items(name: str, task: WorldTask, split: Split) -> None:
    """See that every item, and every shot, has what its task needs.

    Raises:
        ConfigError: there is no item, or one lacks a question, a format, candidates or a picture.
    """
    protocol = PROTOCOLS[task.kind]
    where = f"evaluation.tasks.{name}.split={task.split}"
    if not split.items:
        raise ConfigError(f"{where} has no item: expected at least one line")
    for item in [*split.items, *split.shots.values()]:
        missing = []
        if protocol.asks == "question" and item.question is None:
            missing.append("question")
        if protocol.asks == "format" and item.between is None:
            missing.append("between")
        if modality_of(task) == "image" and item.image is None:
            missing.append("image")
        if item.id not in split.shots and not protocol.generates and not item.candidates:
            missing.append("candidates")
        if missing:
            raise ConfigError(
                f"{where}: item {item.id!r} has no {' and no '.join(missing)}, which a task of"
                f" kind {task.kind} needs"
            )


def clean_answer(text: str, template: Template) -> str:
    """A generated answer up to where a line, or another turn of the template, begins.

    A model that has seen shots may go on with a question of its own (protocols.md 13.1, 13.2).
    """
    stops = ["\n"]
    if template != "tokenizer":
        # The LLM's own template closes answers with a token of its own.
        style = find_style(template)
        stops += [style.user_prefix.strip(), style.assistant_prefix.strip()]
    answer = text.strip()
    for stop in stops:
        if stop:
            answer = answer.partition(stop)[0]
    return answer.strip()
