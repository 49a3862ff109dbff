"""Effects with intervals where items and seeds are crossed random effects.

A contrast of arms is a table D[seed, item]: the arms answered the same items with the same shots at
every seed. Its mean varies because other seeds, or other items, would have been drawn (Clark 1973;
Baayen, Davidson & Bates 2008). The variance of the mean is estimated by moments of the two-way
layout without replication,

    Var = V_seed + V_item - V_rest,

where V_seed comes from the spread of the seeds' means, V_item from that of the items' means, and
both contain V_rest, what is left. Where the estimate falls below what one source alone gives, that
source is taken: with few seeds the plain estimate is too small too often. The interval is
Student's. Its degrees of freedom are the harmonic mean of the seeds' and the items', weighted by
the share of V_seed in Var and by the remainder: Satterthwaite's (1946) trust the estimated parts
too much and cover 0.938 for a stated 0.95 where five seeds weigh a few times as much as the items.
``docs/statistics.md`` holds what simulations gave.

Items that ask about one thing (a picture's name, its kind, its caption) are no independent draws.
They may be given a common unit, also across tasks: their deviations are then summed within the unit
before they are squared (Liang & Zeger 1986).

A measure that is one number per seed, such as a held-out loss, has no items: its interval is that
of a paired t test over seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

Table = Float[np.ndarray, "*repetitions seeds items"]
Value = Float[np.ndarray, "*repetitions"]


def p_above(mean: Value, error: Value, freedom: Value, bound: float) -> Value:
    """One-sided p values of "the effect is at most ``bound``"; 0 or 1 where nothing varies."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stats.t.sf((mean - bound) / error, freedom)
    return np.where(error == 0, np.where(mean > bound, 0.0, 1.0), p)


@dataclass(frozen=True)
class Moments:
    """Means and parts of their squared errors, of one table or of many repetitions at once.

    Attributes:
        mean: the effect.
        over_seeds: squared error by the spread of seeds' means; with one seed 0.
        over_items: squared error by the spread of units' means; without items 0.
        rest: what both contain.
        seeds: number of seeds.
        units: number of independent units of items, in the task with the fewest; without items 0.
    """

    mean: Value
    over_seeds: Value
    over_items: Value
    rest: Value
    seeds: int
    units: int

    @property
    def error(self) -> Value:
        """Standard errors of the means."""
        parts = self.over_seeds + self.over_items - self.rest
        total: Value = np.sqrt(np.maximum(parts, np.maximum(self.over_seeds, self.over_items)))
        return total

    @property
    def freedom(self) -> Value:
        """Degrees of freedom: the harmonic mean of the two sources', weighted by their shares."""
        total = self.error**2
        all_seeds = np.full_like(total, float(self.seeds > 1))
        of_seeds = np.divide(self.over_seeds, total, out=all_seeds, where=total > 0)
        of_items = 1 - of_seeds
        inverse: Value = of_seeds / max(1, self.seeds - 1) + of_items / max(1, self.units - 1)
        return 1 / inverse


def moments(tables: Sequence[Table], units: Sequence[Sequence[str]]) -> Moments:
    """The mean over tasks of the mean over items, and what it varies by.

    Args:
        tables: for each task, values by seed (the same seeds in each) and item.
        units: for each task, what each item asks about.
    """
    seeds = tables[0].shape[-2]
    per_seed = [table.mean(axis=-1, keepdims=True) for table in tables]
    # Seeds are shared by all tasks, so their part is taken from the means over tasks.
    of_seeds = np.mean(per_seed, axis=0)[..., 0]
    centred = [
        (table - mean) / (len(tables) * table.shape[-1])
        for table, mean in zip(tables, per_seed, strict=True)
    ]
    names = np.concatenate([np.asarray(some) for some in units])
    _, first, place = np.unique(names, return_index=True, return_inverse=True)
    sums = np.concatenate(centred, axis=-1)
    if len(first) < len(names):
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(first)))
        sums = np.add.reduceat(sums[..., order], starts, axis=-1)
    of_units = sums.mean(axis=-2)
    smallest = min(len(set(some)) for some in units)
    correction = smallest / (smallest - 1)
    over_items = correction * (of_units**2).sum(axis=-1)
    nothing = np.zeros_like(over_items)
    if seeds == 1:
        return Moments(of_seeds[..., 0], nothing, over_items, nothing, 1, smallest)
    apart = correction * ((sums - of_units[..., None, :]) ** 2).sum(axis=(-2, -1))
    return Moments(
        of_seeds.mean(axis=-1),
        of_seeds.var(axis=-1, ddof=1) / seeds,
        over_items,
        apart / (seeds * (seeds - 1)),
        seeds,
        smallest,
    )


def moments_of_seeds(values: Float[np.ndarray, "*repetitions seeds"]) -> Moments:
    """The mean of one number per seed, and what it varies by; two seeds or more."""
    seeds = values.shape[-1]
    mean = values.mean(axis=-1)
    nothing = np.zeros_like(mean)
    return Moments(mean, values.var(axis=-1, ddof=1) / seeds, nothing, nothing, seeds, 0)


@dataclass(frozen=True)
class Effect:
    """A mean difference and how sure it is.

    Attributes:
        parts: its mean and what its error is made of.
        items: number of items over all tasks; 0 for one number per seed.
    """

    parts: Moments
    items: int

    @property
    def mean(self) -> float:
        """The effect."""
        return float(self.parts.mean)

    @property
    def error(self) -> float:
        """Its standard error."""
        return float(self.parts.error)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the t distribution."""
        return float(self.parts.freedom)

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return self.parts.seeds

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided t interval."""
        reach = self.error * float(stats.t.ppf(0.5 + level / 2, self.freedom))
        return self.mean - reach, self.mean + reach

    def p_above(self, bound: float) -> float:
        """One-sided p value of "the effect is at most ``bound``"."""
        parts = self.parts
        return float(p_above(parts.mean, parts.error, parts.freedom, bound))

    def p_below(self, bound: float) -> float:
        """One-sided p value of "the effect is at least ``bound``"."""
        parts = self.parts
        return float(p_above(-parts.mean, parts.error, parts.freedom, -bound))


def effect(tables: Sequence[Table], units: Sequence[Sequence[str]] | None = None) -> Effect:
    """The mean over tasks of the mean difference, with its error.

    Args:
        tables: for each task, differences by seed (rows, the same seeds in each) and item.
        units: for each task, what each item asks about; equal names depend on each other, within
            a task and across tasks. None: every item stands alone.

    Returns:
        With one seed the error is over items alone: it speaks of this run, not of a repetition.

    Raises:
        ValueError: no task, a task with fewer than two units, or tasks with different numbers of
            seeds.
    """
    if not tables or any(table.size == 0 for table in tables):
        raise ValueError("an effect needs at least one task, and items and seeds in each")
    if any(table.shape[0] != tables[0].shape[0] for table in tables):
        raise ValueError("every task needs the same seeds")
    if units is None:
        units = [[f"{task} {i}" for i in range(t.shape[1])] for task, t in enumerate(tables)]
    if min(len(set(names)) for names in units) < 2:
        raise ValueError("an effect needs at least two items in each task")
    return Effect(moments(tables, units), sum(table.shape[1] for table in tables))


def effect_of_seeds(values: Float[np.ndarray, " seeds"]) -> Effect:
    """The mean of one number per seed, with its error.

    Raises:
        ValueError: fewer than two seeds.
    """
    if len(values) < 2:
        raise ValueError("one number per seed needs at least two seeds")
    return Effect(moments_of_seeds(values), 0)


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's adjusted p values: the family's error rate is held whatever their dependence."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, name in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - rank) * p_values[name]))
        adjusted[name] = running
    return adjusted
