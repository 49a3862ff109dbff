"""Power against what simulated tests came to, and how many seeds or items would decide."""

import numpy as np
import pytest

from vilax.ablation.power import items_to_decide, power, resized, seeds_to_decide
from vilax.ablation.statistics import Effect, moments, p_above

ALPHA = 0.025


def tables(
    spread: tuple[float, float, float], seeds: int, items: int, shift: float, rounds: int
) -> np.ndarray:
    rng = np.random.default_rng(5)
    seed = rng.normal(0, spread[0], (rounds, seeds, 1))
    item = rng.normal(0, spread[1], (rounds, 1, items))
    rest: np.ndarray = shift + seed + item + rng.normal(0, spread[2], (rounds, seeds, items))
    return rest


@pytest.mark.parametrize(
    ("spread", "shift"),
    [((0.5, 1, 1), 0.7), ((0.0, 1, 1), 0.3), ((0.1, 2, 1), 0.5), ((1.0, 0.1, 0.1), 2.0)],
)
def test_power_is_the_share_of_tests_that_decide(
    spread: tuple[float, float, float], shift: float
) -> None:
    names = [[str(i) for i in range(100)]]
    found = moments([tables(spread, 5, 100, shift, 2000)], names)
    share = float((p_above(found.mean, found.error, found.freedom, 0.0) < ALPHA).mean())
    # Power from the true spread, which many seeds and items show.
    known = moments([tables(spread, 200, 1000, shift, 1)[0]], [[str(i) for i in range(1000)]])
    expected = power(resized(known, 5, 0.1), shift, ALPHA)
    assert 0.3 < share < 0.99
    assert expected == pytest.approx(share, abs=0.06)


def effect_of(spread: tuple[float, float, float], shift: float) -> Effect:
    table = tables(spread, 6, 100, 0.0, 1)[0]
    return Effect(moments([table - table.mean() + shift], [[str(i) for i in range(100)]]), 100)


def test_seeds_decide_where_seeds_vary() -> None:
    found = effect_of((0.5, 0.2, 0.2), 0.5)
    seeds = seeds_to_decide(found, 0.0, ALPHA)
    assert seeds is not None and 6 < seeds < 40
    assert power(resized(found.parts, seeds), 0.5, ALPHA) >= 0.8
    assert power(resized(found.parts, seeds - 1), 0.5, ALPHA) < 0.8
    assert items_to_decide(found, 0.0, ALPHA) is None


def test_items_decide_where_items_vary() -> None:
    found = effect_of((0.0, 2.0, 0.1), 0.3)
    items = items_to_decide(found, 0.0, ALPHA)
    assert items is not None and 200 < items < 1000
    assert power(resized(found.parts, 6, items / 100), 0.3, ALPHA) >= 0.8
    assert power(resized(found.parts, 6, 0.95 * items / 100), 0.3, ALPHA) < 0.8
    assert seeds_to_decide(found, 0.0, ALPHA) is None


def test_no_effect_is_never_decided() -> None:
    found = effect_of((0.5, 1.0, 1.0), 0.0)
    assert seeds_to_decide(found, 0.0, ALPHA) is None
    assert items_to_decide(found, 0.0, ALPHA) is None


def test_power_grows_with_distance_and_stays_a_share() -> None:
    parts = effect_of((0.5, 1.0, 1.0), 0.0).parts
    shares = [power(parts, distance, ALPHA) for distance in (0.0, 0.2, 0.5, 1.0, 5.0, 1e4)]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(ALPHA, abs=1e-6)
    assert shares[-1] == pytest.approx(1.0)
