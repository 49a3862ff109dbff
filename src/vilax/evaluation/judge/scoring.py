"""From a judge's scores to figures, by the metric of each protocol."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from vilax.evaluation.judge.prompts import Protocol
from vilax.evaluation.metrics.judged import MmVetItem, llava_bench, mm_vet, video_qa

Scored = tuple[Mapping[str, Any], Sequence[Any]]
"""An answer's fields and its scores, one for each run; None where a run gave none."""

PRIMARY: Mapping[Protocol, tuple[str, float]] = {
    "mm_vet": ("total", 100.0),
    "llava_bench": ("all", 100.0),
    "video_qa": ("accuracy", 100.0),
}
"""The figure that papers report, and what a share of 1 is in it."""


def figures(protocol: Protocol, items: Sequence[Scored]) -> dict[str, Any]:
    """Figures over answers; a score that is missing counts as the reference counts a lost one.

    Args:
        protocol: of the task.
        items: the answers of one number of shots and one seed.
    """
    return FIGURES[protocol](items)


def _mm_vet(items: Sequence[Scored]) -> dict[str, Any]:
    """A lost score is 0, as after MM-Vet's fifth try."""
    found = mm_vet(
        [
            MmVetItem(
                str(number),
                fields["capabilities"],
                [0.0 if score is None else score for score in scores],
            )
            for number, (fields, scores) in enumerate(items)
        ]
    )
    return {
        "total": found.total,
        "std": found.std,
        "capability": dict(found.capability),
        "integration": dict(found.integration),
    }


def _llava_bench(items: Sequence[Scored]) -> dict[str, Any]:
    """A lost review is (-1, -1), as LLaVA's script writes it."""

    def one(run: int) -> dict[str, Any]:
        found = llava_bench(
            [(str(f["category"]), *(scores[run] or (-1.0, -1.0))) for f, scores in items]
        )
        return {"all": found.overall, **found.categories}

    return _over_runs(items, one)


def _video_qa(items: Sequence[Scored]) -> dict[str, Any]:
    """A lost score counts nowhere: Video-ChatGPT's script asks until there is none."""

    def one(run: int) -> dict[str, Any]:
        found = video_qa([scores[run] for _, scores in items])
        return {"accuracy": found.accuracy, "score": found.score, "neither": found.neither}

    return _over_runs(items, one)


def _over_runs(items: Sequence[Scored], one: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
    """Means over runs, with the population's standard deviation where there are several."""
    runs = [one(run) for run in range(len(items[0][1]))]
    found: dict[str, Any] = {}
    for name in runs[0]:
        found[name] = fmean(float(run[name]) for run in runs)
        if len(runs) > 1:
            found[f"{name}_std"] = pstdev(float(run[name]) for run in runs)
    return found


FIGURES: Mapping[Protocol, Callable[[Sequence[Scored]], dict[str, Any]]] = {
    "mm_vet": _mm_vet,
    "llava_bench": _llava_bench,
    "video_qa": _video_qa,
}
