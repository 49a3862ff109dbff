"""How each kind of task asks and scores: by generation or by the likelihood of candidates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vilax.config.schema.evaluation import (
    BindingTask,
    CaptionTask,
    ClassifyTask,
    OpenAnswerTask,
    RelationTask,
    Task,
)
from vilax.evaluation.items import Item
from vilax.evaluation.metrics.cider import cider
from vilax.evaluation.metrics.vqa import vqa_soft_accuracy


@dataclass(frozen=True)
class Protocol:
    """What the runner needs to know of a kind of task.

    Attributes:
        metric: name of the per-item score, shown in results.
        generates: greedy generation; else the likeliest candidate is taken.
        score: items and answers to a score for each item, in the metric's natural unit.
    """

    metric: str
    generates: bool
    score: Callable[[Sequence[Item], Sequence[str]], list[float]]


def exact(items: Sequence[Item], answers: Sequence[str]) -> list[float]:
    """1 where the answer is one of the right ones."""
    return [float(answer in item.answers) for item, answer in zip(items, answers, strict=True)]


def open_answers(items: Sequence[Item], answers: Sequence[str]) -> list[float]:
    """VQA accuracy; a reference that stands alone counts as ten people's."""
    scores = []
    for item, answer in zip(items, answers, strict=True):
        people = item.answers if len(item.answers) >= 4 else item.answers * 10
        scores.append(vqa_soft_accuracy(answer, people, "open_flamingo"))
    return scores


def captions(items: Sequence[Item], answers: Sequence[str]) -> list[float]:
    """CIDEr-D of each caption, as a share of its largest value (10)."""
    hypotheses = {item.id: answer for item, answer in zip(items, answers, strict=True)}
    scores = cider(hypotheses, {item.id: list(item.answers) for item in items}).per_image
    return [scores[item.id] / 10.0 for item in items]


PROTOCOLS: Mapping[str, Protocol] = {
    "open_answer": Protocol("vqa_accuracy", True, open_answers),
    "caption": Protocol("cider_d / 10", True, captions),
    "classify": Protocol("accuracy", False, exact),
    "relation": Protocol("accuracy", False, exact),
    "binding": Protocol("accuracy", False, exact),
}


def template_of(task: Task) -> str:
    """The template of a task's prompts."""
    return task.template if isinstance(task, OpenAnswerTask | CaptionTask | ClassifyTask) else "raw"


def modality_of(task: Task) -> str:
    """Whether items are shown as pictures or named in text."""
    return task.modality if isinstance(task, RelationTask | BindingTask) else "image"


def chance(task: Task, items: Sequence[Item]) -> float | None:
    """Expected score of a blind guess among the candidates; None where answers are free."""
    if PROTOCOLS[task.kind].generates:
        return None
    return float(np.mean([1 / len(item.candidates or (1,)) for item in items]))
