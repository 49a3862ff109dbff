"""Yes and no: POPE (protocols.md 4) and MME (protocols.md 5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vilax.config.errors import ConfigError

MME_PERCEPTION = (
    "existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark",
    "artwork", "OCR",
)  # fmt: skip
"""Tasks whose scores add up to perception."""
MME_COGNITION = (
    "commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning",
)  # fmt: skip
"""Tasks whose scores add up to cognition."""


@dataclass(frozen=True)
class Pope:
    """Figures of POPE, shares 0..1, with yes as the positive class.

    Attributes:
        accuracy: share of right answers.
        precision: of answers yes, the share that is right.
        recall: of labels yes, the share that is found.
        f1: harmonic mean of precision and recall.
        yes_ratio: share of answers yes.
        undefined: names of the figures that divide by zero, where the reference stops with an
            error; they are given as 0.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    yes_ratio: float
    undefined: tuple[str, ...]


def pope_answer(response: str) -> Literal["yes", "no"]:
    """What POPE's evaluate.py takes a response for.

    Only what precedes the first full stop counts; commas are deleted; if ``No``, ``not`` or ``no``
    is among the words between single spaces it is no. Everything else is yes: an empty response,
    ``NO``, ``No!``, ``doesn't`` and ``No`` before a line break too.
    """
    words = response.partition(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "not", "no"} & set(words) else "yes"


def pope(responses: Sequence[str], labels: Sequence[str]) -> Pope:
    """POPE's figures, as AoiDragon/POPE's evaluate.py computes them.

    Args:
        responses: raw text.
        labels: ``yes`` or ``no``, in the same order.

    Raises:
        ConfigError: another number of labels than of responses.
    """
    if len(responses) != len(labels):
        raise ConfigError(f"pope: {len(responses)} responses and {len(labels)} labels")
    said = [pope_answer(response) == "yes" for response in responses]
    # The reference takes every label but 'no' for yes.
    true = [label != "no" for label in labels]
    both = sum(one and other for one, other in zip(said, true, strict=True))
    right = sum(one == other for one, other in zip(said, true, strict=True))
    undefined: list[str] = []

    def share(name: str, part: float, whole: float) -> float:
        if whole:
            return part / whole
        undefined.append(name)
        return 0.0

    precision = share("precision", both, sum(said))
    recall = share("recall", both, sum(true))
    f1 = share("f1", 2 * precision * recall, precision + recall)
    accuracy = share("accuracy", right, len(said))
    yes_ratio = share("yes_ratio", sum(said), len(said))
    return Pope(accuracy, precision, recall, f1, yes_ratio, tuple(undefined))


@dataclass(frozen=True)
class MmeTask:
    """A task of MME, in percent.

    Attributes:
        acc: right questions.
        acc_plus: pictures with both questions right.
        score: their sum, at most 200.
    """

    acc: float
    acc_plus: float
    score: float

    def __getitem__(self, name: str) -> float:
        return float(getattr(self, name))


@dataclass(frozen=True)
class Mme:
    """Scores of MME.

    Attributes:
        perception: sum over its tasks, at most 2,000.
        cognition: sum over its tasks, at most 800.
        tasks: task to its figures.
        other: responses that are neither yes nor no.
    """

    perception: float
    cognition: float
    tasks: Mapping[str, MmeTask]
    other: int


def mme_answer(response: str) -> Literal["yes", "no", "other"]:
    """What MME's tool takes a response for: yes or no among its first four characters.

    So ``not``, ``none``, ``north`` and ``know`` are no; ``The answer is yes`` and ``y`` are other,
    which is wrong.
    """
    lower = response.lower()
    start = lower if lower in ("yes", "no") else lower[:4]
    if "yes" in start:
        return "yes"
    return "no" if "no" in start else "other"


def mme(items: Iterable[Mapping[str, Any] | Sequence[str]]) -> Mme:
    """MME's scores, as its eval tool's calculation.py computes them.

    The tool pairs lines that follow each other; here the two questions of a picture are found by
    task and picture, whatever their order.

    Args:
        items: with ``task``, ``image``, ``truth`` (yes or no, in any case) and ``response``; or
            sequences of these four.

    Raises:
        ConfigError: a picture has not exactly two questions, or a truth is neither yes nor no.
    """
    pictures: dict[tuple[str, str], list[bool]] = {}
    other = 0
    for item in items:
        if isinstance(item, Mapping):
            task, image = str(item["task"]), str(item["image"])
            truth, response = str(item["truth"]), str(item["response"])
        else:
            task, image, truth, response = map(str, item)
        wanted = truth.lower().strip()
        if wanted not in ("yes", "no"):
            raise ConfigError(f"mme: {task}/{image} has truth {truth!r}: expected yes or no")
        said = mme_answer(response)
        other += said == "other"
        pictures.setdefault((task, image), []).append(said == wanted)
    groups: dict[str, list[list[bool]]] = {}
    for (task, image), pair in pictures.items():
        if len(pair) != 2:
            raise ConfigError(f"mme: {task}/{image} has {len(pair)} questions: expected two")
        groups.setdefault(task, []).append(pair)
    tasks = {task: _task(pairs) for task, pairs in groups.items()}
    return Mme(
        sum((tasks[name].score for name in MME_PERCEPTION if name in tasks), 0.0),
        sum((tasks[name].score for name in MME_COGNITION if name in tasks), 0.0),
        tasks,
        other,
    )


def _task(pairs: Sequence[Sequence[bool]]) -> MmeTask:
    acc = 100 * sum(map(sum, pairs)) / (2 * len(pairs))
    acc_plus = 100 * sum(map(all, pairs)) / len(pairs)
    return MmeTask(acc, acc_plus, acc + acc_plus)
