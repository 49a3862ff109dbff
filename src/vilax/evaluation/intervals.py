"""Intervals of an evaluation's figures by bootstrap over units: questions, pictures, videos."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

RESAMPLES = 1000
SEED = 0
LEVEL = 0.95

Sums = Float[np.ndarray, " columns"]


def unit_interval(
    units: Sequence[str],
    rows: Float[np.ndarray, "items columns"],
    figure: Callable[[Sums], float],
) -> tuple[float, float] | None:
    """Percentile interval of a figure that is a function of sums over items.

    Items of one unit are drawn together: the questions of one picture are not independent. This is
    the spread over items of one run; that over seeds is the comparison's business.

    Args:
        units: unit of each item.
        rows: what each item adds to the sums.
        figure: the figure, of the sums.

    Returns:
        Lower and upper end at 95 %; None with fewer than two units.
    """
    names = {unit: place for place, unit in enumerate(dict.fromkeys(units))}
    if len(names) < 2:
        return None
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, [names[unit] for unit in units], rows)
    random = np.random.default_rng(SEED)
    chances = np.full(len(names), 1 / len(names))
    found = [figure(random.multinomial(len(names), chances) @ sums) for _ in range(RESAMPLES)]
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(found, [tail, 100 - tail])
    return float(low), float(high)


def mean_interval(
    values: Sequence[float], units: Sequence[str] | None = None
) -> tuple[float, float] | None:
    """Interval of the mean of item scores.

    Args:
        values: score of each item.
        units: unit of each item; None: each stands alone.
    """
    names = [str(place) for place in range(len(values))] if units is None else units
    rows = np.array([[value, 1.0] for value in values]).reshape(-1, 2)
    return unit_interval(names, rows, lambda sums: float(sums[0] / sums[1]) if sums[1] else 0.0)
