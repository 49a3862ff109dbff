"""Intervals over items: they cover, and items of one unit count as one."""

import numpy as np

from vilax.evaluation.intervals import mean_interval, unit_interval


def test_the_interval_of_a_mean_covers_at_the_stated_rate() -> None:
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        low, high = mean_interval((random.random(80) < 0.3).astype(float).tolist())
        hits += low <= 0.3 <= high
    assert 0.89 <= hits / 200 <= 0.99


def test_items_of_one_unit_are_not_independent() -> None:
    values = [1.0, 0.0] * 20
    units = [str(place // 20) for place in range(40)]
    repeated = [value for value in [1.0, 0.0, 1.0, 0.0] for _ in range(10)]
    groups = [str(place // 10) for place in range(40)]
    alone = mean_interval(repeated)
    together = mean_interval(repeated, groups)
    assert alone is not None and together is not None
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])
    assert mean_interval(values, units) is not None


def test_one_unit_has_no_interval_and_the_same_call_gives_the_same() -> None:
    assert mean_interval([1.0, 0.0], ["a", "a"]) is None
    rows = np.random.default_rng(0).random((50, 2))
    names = [str(i) for i in range(50)]
    first = unit_interval(names, rows, lambda sums: float(sums[0] / sums[1]))
    assert first == unit_interval(names, rows, lambda sums: float(sums[0] / sums[1]))
