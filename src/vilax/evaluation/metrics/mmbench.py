"""MMBench's circular accuracy (protocols.md 6; VLMEvalKit's ``mcq_circular_eval``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vilax.config.errors import unknown
from vilax.evaluation.metrics.option_letter import option_letter

Style = Literal["vlmevalkit", "mmbench"]

ROTATION = 1_000_000
"""Rotations of one question have the same index modulo this; the one below it is the main row."""


@dataclass(frozen=True)
class MmBench:
    """Circular accuracy: shares, 0..1.

    Attributes:
        overall: mean over questions.
        categories: mean over the questions of a category.
        l2_categories: mean over the questions of an upper category.
        questions: index of the main row to whether every row of the question is right.
        unanswered: rows whose response holds no letter by the rule.
    """

    overall: float
    categories: Mapping[str, float]
    l2_categories: Mapping[str, float]
    questions: Mapping[int, bool]
    unanswered: int


def mmbench_circular(rows: Sequence[Mapping[str, Any]], style: Style = "vlmevalkit") -> MmBench:
    """Score rows without a judge: a question counts if every rotation of its options is right.

    Categories are those of the main row. A question whose main row is absent is not counted, as in
    the reference. A row whose letter the rule does not find is wrong: under the reference's policy
    ``exact_matching``, where a judge would otherwise be asked, so this is a lower bound. Categories
    keep their names; the reference's tables abbreviate six of them (``coarse_perception``: CP).

    Args:
        rows: with ``index`` (int), ``category``, ``l2_category``, ``options`` (letter to text;
            choices that are None, NaN or empty are left out), ``answer`` (letter), ``response``.
        style: how a letter is found: VLMEvalKit's rule, or MMBench's first one (lmms-eval).

    Returns:
        Shares; 0 without questions.

    Raises:
        ConfigError: no such style.
        KeyError: a row lacks a field; a note names the row.
    """
    if style not in get_args(Style):
        raise unknown("style of mmbench_circular", style, get_args(Style))
    right: dict[int, bool] = {}
    mains: dict[int, Mapping[str, str]] = {}
    unanswered = 0
    for number, row in enumerate(rows):
        try:
            index, answer = int(row["index"]), row["answer"]
            letter = option_letter(str(row["response"]), _choices(row["options"]), style)
            names = {name: str(row[name]) for name in ("category", "l2_category")}
        except KeyError as error:
            error.add_note(f"row {number} of mmbench_circular, counted from 0")
            raise
        unanswered += letter is None
        question = index % ROTATION
        right[question] = right.get(question, True) and letter == answer
        if index < ROTATION:
            mains[index] = names
    questions = {question: right[question] for question in mains}
    return MmBench(
        _mean(list(questions.values())),
        _by("category", mains, questions),
        _by("l2_category", mains, questions),
        questions,
        unanswered,
    )


def _choices(options: Mapping[str, Any]) -> dict[str, str]:
    # NaN is the only value that differs from itself.
    return {
        letter: str(text)
        for letter, text in options.items()
        if text is not None and text == text and str(text) != ""
    }


def _by(
    key: str, mains: Mapping[int, Mapping[str, str]], right: Mapping[int, bool]
) -> dict[str, float]:
    groups: dict[str, list[bool]] = {}
    for question, names in mains.items():
        groups.setdefault(names[key], []).append(right[question])
    return {name: _mean(some) for name, some in sorted(groups.items())}


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
