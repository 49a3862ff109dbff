"""Effects with intervals where items and seeds are crossed random effects.

A difference between two arms is a table D[seed, item]: both arms answered the same items with the
same shots at every seed. Its mean varies because other seeds, or other items, would have been drawn
(Clark 1973; Baayen, Davidson & Bates 2008). The variance of the mean is estimated from the mean
squares of the two-way layout without replication,

    Var = (MS_seed + MS_item - MS_rest) / (seeds * items),

with Satterthwaite's (1946) degrees of freedom and a t interval. Where the estimate falls below what
one source alone gives, the larger of the two is used: with few seeds the plain estimate is too
small too often, as the simulations in the tests show.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

Table = Float[np.ndarray, "seeds items"]


@dataclass(frozen=True)
class Effect:
    """A mean difference and how sure it is.

    Attributes:
        mean: the effect.
        error: its standard error.
        freedom: degrees of freedom of the t distribution.
        seeds: number of seeds.
        items: number of items over all tasks.
        between_seeds: part of the squared error that more seeds would shrink.
    """

    mean: float
    error: float
    freedom: float
    seeds: int
    items: int
    between_seeds: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided t interval."""
        reach = self.error * float(stats.t.ppf(0.5 + level / 2, self.freedom))
        return self.mean - reach, self.mean + reach

    def p_above(self, bound: float) -> float:
        """One-sided p value of "the effect is at most ``bound``"."""
        if self.error == 0:
            return 0.0 if self.mean > bound else 1.0
        return float(stats.t.sf((self.mean - bound) / self.error, self.freedom))

    def p_below(self, bound: float) -> float:
        """One-sided p value of "the effect is at least ``bound``"."""
        if self.error == 0:
            return 0.0 if self.mean < bound else 1.0
        return float(stats.t.cdf((self.mean - bound) / self.error, self.freedom))


def effect(tables: Sequence[Table]) -> Effect:
    """The mean over tasks of the mean difference, with its error.

    Args:
        tables: for each task, differences by seed (rows, the same seeds in each) and item.

    Returns:
        With one seed the error is over items alone: it speaks of this run, not of a repetition.

    Raises:
        ValueError: no task, no item, or tasks with different numbers of seeds.
    """
    if not tables or any(table.size == 0 for table in tables):
        raise ValueError("an effect needs at least one task with at least one item")
    seeds = tables[0].shape[0]
    if any(table.shape[0] != seeds for table in tables):
        raise ValueError("every task needs the same seeds")
    count = len(tables)
    items = sum(table.shape[1] for table in tables)
    mean = float(np.mean([table.mean() for table in tables]))
    # Items of different tasks are independent; seeds are shared, so their part is taken from the
    # per-seed means over tasks and covers what tasks have in common.
    item_terms = [_item_variance(table) for table in tables]
    over_items = sum(variance for variance, _ in item_terms) / count**2
    if seeds == 1:
        freedom = _pooled([(v / count**2, f) for v, f in item_terms])
        return Effect(mean, math.sqrt(over_items), freedom, 1, items, 0.0)
    per_seed = np.mean([table.mean(axis=1) for table in tables], axis=0)
    over_seeds = float(per_seed.var(ddof=1)) / seeds
    rest = sum(_rest_variance(table) for table in tables) / count**2
    total = over_seeds + over_items - rest
    largest = max(over_seeds, over_items)
    if total <= largest:
        total = largest
    terms = [(over_seeds, seeds - 1.0), *((v / count**2, f) for v, f in item_terms)]
    freedom = _satterthwaite(total, terms)
    return Effect(mean, math.sqrt(total), freedom, seeds, items, over_seeds)


def _item_variance(table: Table) -> tuple[float, float]:
    """Variance of a task's mean over items (seeds averaged), and its degrees of freedom."""
    items = table.shape[1]
    if items == 1:
        return 0.0, 1.0
    return float(table.mean(axis=0).var(ddof=1)) / items, items - 1.0


def _rest_variance(table: Table) -> float:
    """What both mean squares contain of the residual, which is counted once too often."""
    seeds, items = table.shape
    if seeds == 1 or items == 1:
        return 0.0
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return float((rest**2).sum()) / ((seeds - 1) * (items - 1)) / (seeds * items)


def _pooled(terms: Sequence[tuple[float, float]]) -> float:
    return _satterthwaite(sum(value for value, _ in terms), terms)


def _satterthwaite(total: float, terms: Sequence[tuple[float, float]]) -> float:
    below = sum(value**2 / freedom for value, freedom in terms)
    smallest = min(freedom for _, freedom in terms)
    return float(max(smallest, total**2 / below)) if below > 0 else smallest


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's adjusted p values: the family's error rate is held whatever their dependence."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, name in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - rank) * p_values[name]))
        adjusted[name] = running
    return adjusted


def seeds_to_decide(found: Effect, bound: float, level: float = 0.95) -> int | None:
    """Seeds at which the interval would leave ``bound``, if effect and spread stay as they are.

    None where items alone leave it undecided, however many seeds.
    """
    distance = abs(found.mean - bound)
    over_items = max(0.0, found.error**2 - found.between_seeds)
    for seeds in range(max(5, found.seeds + 1), 101):
        error = math.sqrt(over_items + found.between_seeds * found.seeds / seeds)
        if distance > error * float(stats.t.ppf(0.5 + level / 2, seeds - 1)):
            return seeds
    return None
