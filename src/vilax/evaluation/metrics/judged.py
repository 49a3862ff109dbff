"""Figures from a judge's scores: MM-Vet, LLaVA-Bench, video QA (protocols.md 9, 12.2)."""

import ast
import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from vilax.config.errors import ConfigError

CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")


class MmVetItem(NamedTuple):
    """An item of MM-Vet: its capabilities, and its score in each run, 0..1."""

    id: str
    capabilities: Sequence[str]
    scores: Sequence[float]


@dataclass(frozen=True)
class MmVet:
    """Scores in percent, means over runs, to one decimal as the evaluator gives them.

    Attributes:
        total: over all items.
        std: population standard deviation of the runs' totals.
        capability: capability to the mean over items that need it (items need several).
        integration: set of capabilities, joined by ``_`` in the order rec, ocr, know, gen, spat,
            math, to the mean over items that need exactly these.
    """

    total: float
    std: float
    capability: Mapping[str, float]
    integration: Mapping[str, float]


def mm_vet(items: Sequence[MmVetItem | Mapping[str, Any]], decimals: int | None = 1) -> MmVet:
    """MM-Vet's figures, as yuweihao/MM-Vet's evaluator exports them.

    The evaluator names a set of capabilities in no fixed order; here the order is fixed. numpy
    averages, as there: another order of addition moves halves to the other side of the rounding.
    Without items or runs all is 0.

    Args:
        items: with ``id``, ``capabilities`` and ``scores`` (as many runs for each), as tuples or
            mappings.
        decimals: what figures are rounded to; None: not at all.

    Raises:
        ConfigError: items have other numbers of runs.
    """
    import numpy as np

    rows = [_mm_vet_item(item) for item in items]
    for row in rows:
        if len(row.scores) != len(rows[0].scores):
            raise ConfigError(
                f"mm_vet: {row.id} has {len(row.scores)} runs and {rows[0].id} has"
                f" {len(rows[0].scores)}: expected as many for each item"
            )
    capability: dict[str, list[MmVetItem]] = {}
    integration: dict[str, list[MmVetItem]] = {}
    for row in rows:
        needed = sorted(set(row.capabilities), key=_place)
        for one in needed:
            capability.setdefault(one, []).append(row)
        integration.setdefault("_".join(needed), []).append(row)

    def shown(value: np.floating[Any]) -> float:
        return float(value if decimals is None else np.round(value, decimals))

    def mean(some: Sequence[MmVetItem]) -> float:
        runs = _runs(some)
        return shown(np.mean(runs)) if runs else 0.0

    totals = _runs(rows)
    return MmVet(
        mean(rows),
        shown(np.std(totals)) if totals else 0.0,
        {name: mean(some) for name, some in capability.items()},
        {name: mean(some) for name, some in integration.items()},
    )


def _mm_vet_item(item: MmVetItem | Mapping[str, Any]) -> MmVetItem:
    if isinstance(item, Mapping):
        return MmVetItem(str(item["id"]), item["capabilities"], item["scores"])
    return MmVetItem(*item)


def _place(name: str) -> tuple[int, str]:
    known = CAPABILITIES.index(name) if name in CAPABILITIES else len(CAPABILITIES)
    return known, name


def _sum(values: Iterable[float]) -> float:
    """Added one by one, as the references do; ``sum`` compensates from Python 3.12 on."""
    return reduce(operator.add, values, 0.0)


def _runs(rows: Sequence[MmVetItem]) -> list[float]:
    """Each run's mean over items, in percent."""
    runs = len(rows[0].scores) if rows else 0
    return [_sum(row.scores[run] for row in rows) / len(rows) * 100 for run in range(runs)]


def parse_mm_vet_reply(text: str) -> float | None:
    """The score of a judge's reply, its first word; None where that is no number in 0..1.

    The evaluator lets ``nan`` pass, which makes every mean nan; here it is no number.
    """
    try:
        score = float(text.split(" ")[0].strip())
    except ValueError:
        return None
    return score if 0.0 <= score <= 1.0 else None


@dataclass(frozen=True)
class LlavaBench:
    """100 x mean score of the model / mean score of the reference, to one decimal.

    Attributes:
        overall: over all items (not the mean of categories).
        categories: category to figure.
        lost: reviews without two numbers, averaged in as (-1, -1) as the reference does.
        overall_without_lost: over the items that have a review.
    """

    overall: float
    categories: Mapping[str, float]
    lost: int
    overall_without_lost: float


def llava_bench(items: Sequence[tuple[str, float, float]]) -> LlavaBench:
    """LLaVA-Bench's figures, as LLaVA's summarize_gpt_review.py prints them.

    Means are rounded to three decimals before they are divided. A division by zero gives 0.

    Args:
        items: category, score of the reference answer, score of the model's; (-1, -1) for a lost
            review.
    """
    groups: dict[str, list[tuple[float, float]]] = {}
    every: list[tuple[float, float]] = []
    for category, reference, model in items:
        groups.setdefault(category, []).append((reference, model))
        every.append((reference, model))
    kept = [pair for pair in every if pair != (-1, -1)]
    return LlavaBench(
        _ratio(every),
        {name: _ratio(pairs) for name, pairs in sorted(groups.items())},
        len(every) - len(kept),
        _ratio(kept),
    )


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    if not pairs:
        return 0.0
    reference, model = (round(_sum(one) / len(pairs), 3) for one in zip(*pairs, strict=True))
    return round(model / reference * 100, 1) if reference else 0.0


def parse_llava_bench_reply(text: str) -> tuple[float, float] | None:
    """The two scores of a judge's reply; None where its first line is not exactly two numbers.

    Commas are spaces; words are split at single spaces, so two spaces between the numbers, or one
    behind them, lose the review (LLaVA's ``parse_score``).
    """
    words = text.split("\n")[0].replace(",", " ").split(" ")
    try:
        first, second = (float(word) for word in words)
    except ValueError:
        return None
    return first, second


@dataclass(frozen=True)
class VideoQa:
    """Figures of open-ended video QA.

    Attributes:
        accuracy: yes / (yes + no), in percent.
        score: mean of the whole numbers 0..5 over all items with a reply.
        neither: replies with neither yes nor no, which leave the accuracy's denominator.
        lost: items without a readable reply.
    """

    accuracy: float
    score: float
    neither: int
    lost: int


def video_qa(items: Sequence[tuple[str, float] | None]) -> VideoQa:
    """Video-ChatGPT's figures.

    Yes is looked for first, anywhere in the lower-cased verdict; scores are cut to whole numbers
    (4.8 counts 4), as in the reference.

    Args:
        items: verdict and score of each item; None where no reply could be read. The reference asks
            again until it can, so these count neither in accuracy nor in the score.
    """
    yes = no = neither = 0
    for verdict, _ in (item for item in items if item is not None):
        lower = verdict.lower()
        if "yes" in lower:
            yes += 1
        elif "no" in lower:
            no += 1
        else:
            neither += 1
    scores = [int(item[1]) for item in items if item is not None]
    return VideoQa(
        100 * yes / (yes + no) if yes + no else 0.0,
        sum(scores) / len(scores) if scores else 0.0,
        neither,
        len(items) - len(scores),
    )


def parse_video_qa_reply(text: str) -> tuple[str, float] | None:
    """Verdict and score of a judge's reply: the first ``{...}`` in it, read as a Python literal.

    None where there is none, or its ``pred`` is no text or its ``score`` no finite number: the
    reference stops at these after the last reply.
    """
    found = re.search(r"\{.*?\}", text, re.DOTALL)
    if found is None:
        return None
    try:
        value = ast.literal_eval(found[0])
        verdict, score = value["pred"], float(value["score"])
    except (ValueError, SyntaxError, TypeError, KeyError, OverflowError):
        return None
    except (MemoryError, RecursionError):  # literal_eval's answer to deep nesting
        return None
    return (verdict, score) if isinstance(verdict, str) and math.isfinite(score) else None
