"""How likely a test is to decide, and how many seeds or items would make it likely.

What was measured says how an error would shrink. Of its parts, the seeds' own spread falls with
more seeds, the items' own with more items, and what neither explains with both; the power of a t
test follows from the noncentral t distribution (Cohen 1988).
"""

import math
from bisect import bisect_left
from dataclasses import replace

from scipy import stats

from vilax.ablation.statistics import Effect, Moments

WANTED = 0.8
"""Power that counts as deciding: four of five repetitions would."""
MOST_SEEDS = 100
MOST_ITEMS = 100
"""Beyond so many seeds, or times the items, no number is named."""


def resized(found: Moments, seeds: int, times_items: float = 1.0) -> Moments:
    """The parts of the error to expect with other numbers of seeds and items.

    Args:
        found: as measured, with two seeds or more.
        seeds: the other number of seeds.
        times_items: the other number of items over the measured one.
    """
    share = found.seeds / seeds
    rest = float(found.rest) * share / times_items
    own_seeds = max(0.0, float(found.over_seeds - found.rest)) * share
    own_items = max(0.0, float(found.over_items - found.rest)) / times_items
    return replace(
        found,
        over_seeds=found.mean * 0 + own_seeds + rest,
        over_items=found.mean * 0 + own_items + rest,
        rest=found.mean * 0 + rest,
        seeds=seeds,
        units=math.floor(found.units * times_items),
    )


def power(parts: Moments, distance: float, alpha: float) -> float:
    """Chance that a one-sided test at ``alpha`` shows an effect ``distance`` beyond its bound."""
    error, freedom = float(parts.error), float(parts.freedom)
    if error == 0:
        return float(distance > 0)
    needed = float(stats.t.isf(alpha, freedom))
    found = float(stats.nct.sf(needed, freedom, distance / error))
    # Far in the tail scipy's noncentral t may give no number; there the normal one does as well.
    return found if math.isfinite(found) else float(stats.norm.sf(needed - distance / error))


def seeds_to_decide(found: Effect, bound: float, alpha: float, fewest: int = 5) -> int | None:
    """Seeds that would decide four times in five, if effect and spread stay as they are.

    None where no number up to 100 would: items set the limit, or there is no effect.
    """
    distance = abs(found.mean - bound)

    def is_enough(seeds: int) -> bool:
        return power(resized(found.parts, seeds), distance, alpha) >= WANTED

    if not is_enough(MOST_SEEDS):
        return None
    wanted = range(max(fewest, found.seeds + 1), MOST_SEEDS + 1)
    return wanted[bisect_left(wanted, True, key=is_enough)]


def items_to_decide(found: Effect, bound: float, alpha: float, fewest: int = 5) -> int | None:
    """Items that would decide four times in five with the seeds at hand (``fewest`` at least).

    None where no number up to 100 times as many would: seeds set the limit, or there is no effect
    or no item.
    """
    if not found.items:
        return None
    distance, seeds = abs(found.mean - bound), max(fewest, found.seeds)
    if power(resized(found.parts, seeds, MOST_ITEMS), distance, alpha) < WANTED:
        return None
    low, high = 1.0, float(MOST_ITEMS)
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        is_enough = power(resized(found.parts, seeds, middle), distance, alpha) >= WANTED
        low, high = (low, middle) if is_enough else (middle, high)
    return math.ceil(high * found.items)
