"""Figures from a judge's scores: MM-Vet, LLaVA-Bench, video QA (protocols.md 9, 12.2)."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import pstdev
from typing import Any, NamedTuple

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

    The evaluator names a set of capabilities in no fixed order; here the order is fixed.

    Args:
        items: with ``id``, ``capabilities`` and ``scores`` (as many runs for each), as tuples or
            mappings.
        decimals: what figures are rounded to; None: not at all.

    Raises:
        ValueError: items have other numbers of runs.
    """
    rows = [_mm_vet_item(item) for item in items]
    if len({len(row.scores) for row in rows}) > 1:
        raise ValueError("mm_vet: expected as many runs for each item")
    capability: dict[str, list[MmVetItem]] = {}
    integration: dict[str, list[MmVetItem]] = {}
    for row in rows:
        needed = sorted(set(row.capabilities), key=_place)
        for one in needed:
            capability.setdefault(one, []).append(row)
        integration.setdefault("_".join(needed), []).append(row)
    totals = _runs(rows)

    def shown(value: float) -> float:
        # Halves go to the even neighbour of the scaled value, as numpy rounds.
        return value if decimals is None else round(value * 10**decimals) / 10**decimals

    return MmVet(
        shown(_mean(totals)) if totals else 0.0,
        shown(pstdev(totals)) if totals else 0.0,
        {name: shown(_mean(_runs(some))) for name, some in capability.items()},
        {name: shown(_mean(_runs(some))) for name, some in integration.items()},
    )


def _mm_vet_item(item: MmVetItem | Mapping[str, Any]) -> MmVetItem:
    if isinstance(item, Mapping):
        return MmVetItem(str(item["id"]), item["capabilities"], item["scores"])
    return MmVetItem(*item)


def _place(name: str) -> tuple[int, str]:
    known = CAPABILITIES.index(name) if name in CAPABILITIES else len(CAPABILITIES)
    return known, name


def _mean(values: Sequence[float]) -> float:
    """Sum over number, added in order as numpy does: an exact sum could round another way."""
    return sum(values) / len(values)


def _runs(rows: Sequence[MmVetItem]) -> list[float]:
    """Each run's mean over items, in percent."""
    runs = len(rows[0].scores) if rows else 0
    return [sum(row.scores[run] for row in rows) / len(rows) * 100 for run in range(runs)]


def parse_mm_vet_reply(text: str) -> float | None:
    """The score of a judge's reply, its first word; None where that is no number in 0..1."""
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
    for category, reference, model in items:
        groups.setdefault(category, []).append((reference, model))
    every = [pair for group in groups.values() for pair in group]
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
    reference, model = (round(_mean(one), 3) for one in zip(*pairs, strict=True))
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
        _mean(scores) if scores else 0.0,
        neither,
        len(items) - len(scores),
    )


def parse_video_qa_reply(text: str) -> tuple[str, float] | None:
    """Verdict and score of a judge's reply: the first ``{...}`` in it, read as a Python literal.

    None where there is none, or its ``pred`` is no text or its ``score`` no number.
    """
    found = re.search(r"\{.*?\}", text, re.DOTALL)
    if found is None:
        return None
    try:
        value = ast.literal_eval(found[0])
        return str(value["pred"]), float(value["score"])
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        return None
