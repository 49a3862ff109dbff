"""Figures that are means over items, and what all rules share."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from vilax.evaluation.asking import Scored
from vilax.evaluation.intervals import mean_interval
from vilax.evaluation.question import Question

Questions = Sequence[Question]
Answers = Sequence[str]
Styles = Sequence[str]
Scorer = Callable[[Questions, Answers, Styles], Scored]

PERCENT = 100.0


def units_of(questions: Questions) -> list[str]:
    """What each question is resampled with."""
    return [question.unit for question in questions]


def means(
    primary: str,
    questions: Questions,
    by_style: Mapping[str, Sequence[float]],
    counts: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
) -> Scored:
    """Means over items, percent, in every style; the first style is the reported one.

    Args:
        primary: name of the figure.
        questions: in order.
        by_style: style to score of each item, 0..1.
        counts: what was counted on the way.
        notes: what a reader must know.
    """
    values = next(iter(by_style.values()))
    figures = {
        f"{primary} ({style})" if place else primary: PERCENT * fmean(each)
        for place, (style, each) in enumerate(by_style.items())
    }
    interval = mean_interval(values, units_of(questions))
    return Scored(values, fmean(values), figures, primary, interval, counts or {}, notes)
