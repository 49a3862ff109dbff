"""Intervals and tests keep their promises, by simulation."""

import numpy as np
import pytest

from vilax.ablation.statistics import effect, holm, seeds_to_decide

SPREADS = [
    # (seed, item, rest): standard deviations of the three sources
    (0.0, 1.0, 1.0),
    (0.3, 1.0, 1.0),
    (1.0, 1.0, 1.0),
    (0.3, 0.0, 1.0),
    (0.0, 0.0, 1.0),
    (0.1, 0.3, 3.0),
]


def draw(rng, seeds: int, items: int, spread, mean: float) -> np.ndarray:
    seed, item, rest = spread
    return (
        mean
        + seed * rng.normal(size=(seeds, 1))
        + item * rng.normal(size=(1, items))
        + rest * rng.normal(size=(seeds, items))
    )


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("seeds", [5, 8])
def test_intervals_cover_at_the_stated_rate(spread, seeds: int) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    runs = 600
    for _ in range(runs):
        low, high = effect([draw(rng, seeds, 80, spread, 2.0)]).interval(0.95)
        covered += low <= 2.0 <= high
    # Two standard errors of a share of 600 below the stated rate; never far above on purpose.
    assert covered / runs >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / runs)


@pytest.mark.parametrize("spread", SPREADS)
def test_without_an_effect_a_false_verdict_is_rare(spread) -> None:
    rng = np.random.default_rng(1)
    runs, false = 600, 0
    for _ in range(runs):
        found = effect([draw(rng, 5, 60, spread, 0.0), draw(rng, 5, 90, spread, 0.0)])
        false += 2 * min(found.p_above(0), found.p_below(0)) <= 0.05
    assert false / runs <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)


def test_an_effect_of_the_papers_size_is_found() -> None:
    """11 points between arms b and c at 4 shots, items of 0 and 1, seeds a few points apart."""
    rng = np.random.default_rng(2)
    found = [
        effect([draw(rng, 5, 300, (3.0, 30.0, 40.0), 11.2)]).p_above(0) < 0.0125 for _ in range(200)
    ]
    assert np.mean(found) > 0.8


def test_one_seed_knows_items_only_and_several_seeds_widen() -> None:
    rng = np.random.default_rng(3)
    table = draw(rng, 5, 200, (1.0, 0.2, 0.2), 0.0)
    one, five = effect([table[:1]]), effect([table])
    assert one.seeds == 1
    assert one.between_seeds == 0
    assert five.error > one.error


def test_tasks_weigh_equally_whatever_their_items() -> None:
    found = effect([np.full((5, 10), 1.0), np.full((5, 1000), 3.0)])
    assert found.mean == 2.0
    assert found.items == 1010


def test_shared_seed_deviations_of_tasks_are_not_averaged_away() -> None:
    rng = np.random.default_rng(4)
    shift = rng.normal(size=(5, 1))
    tables = [shift + 0.01 * rng.normal(size=(5, 50)) for _ in range(4)]
    assert effect(tables).error == pytest.approx(float(shift.std(ddof=1)) / 5**0.5, rel=0.05)


def test_no_spread_at_all_is_certain() -> None:
    found = effect([np.full((5, 4), 2.0)])
    assert found.p_above(0) == 0.0
    assert found.p_below(0) == 1.0


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one task"):
        effect([])
    with pytest.raises(ValueError, match="same seeds"):
        effect([np.zeros((2, 3)), np.zeros((3, 3))])


def test_holm() -> None:
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert adjusted == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == pytest.approx({"a": 1.0, "b": 1.0})


def test_seeds_that_would_decide() -> None:
    rng = np.random.default_rng(5)
    noisy = effect([draw(rng, 5, 400, (2.0, 0.0, 0.1), 1.0) - 0.0])
    more = seeds_to_decide(noisy, noisy.mean - 1.2)
    assert more is not None
    assert more > 5
    by_items = effect([draw(rng, 5, 20, (0.0, 5.0, 0.0), 0.3)])
    assert seeds_to_decide(by_items, by_items.mean - 0.01) is None
