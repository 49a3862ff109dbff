"""Calibration by simulation, and the small rules around it."""

import numpy as np
import pytest
from scipy import stats

from tests.ablation.simulation import coverage, decided
from vilax.ablation.statistics import effect, effect_of_seeds, holm, moments

ROUNDS = 500
LOWEST, HIGHEST = 0.925, 0.995
"""500 rounds of a stated 0.95 have a standard error of 0.01; the method may be cautious."""


def simulate(
    spread: tuple[float, float, float], seeds: int, tasks: int = 1, items: int = 300, per: int = 1
) -> tuple[float, float, float]:
    """Share of intervals that hold the true 0, with units and without, and of false verdicts.

    ``spread``: standard deviations of seeds, of units (groups of ``per`` items, shared by all
    tasks), and of what is left.
    """
    rng = np.random.default_rng(7)
    units = [[str(i // per) for i in range(items)]] * tasks
    seed = rng.normal(0, spread[0], (ROUNDS, seeds, 1))
    unit = np.repeat(rng.normal(0, spread[1], (ROUNDS, 1, items // per)), per, axis=-1)
    tables = [seed + unit + rng.normal(0, spread[2], (ROUNDS, seeds, items)) for _ in range(tasks)]
    found = moments(tables, units)
    alone = moments(tables, [[f"{task} {i}" for i in range(items)] for task in range(tasks)])
    up, down = decided(found, 0.0, 0.025)
    return coverage(found), coverage(alone), up + down


@pytest.mark.parametrize(
    "spread",
    [
        (0, 1, 1),
        (0, 0, 1),
        (0, 1, 0.1),
        (0.02, 1, 1),
        (0.05, 1, 1),
        (0.1, 1, 1),
        (1, 1, 1),
        (9, 1, 1),
    ],
    ids=str,
)
def test_intervals_of_five_seeds_cover_as_stated(spread: tuple[float, float, float]) -> None:
    covered, _, wrong = simulate(spread, seeds=5)
    assert LOWEST <= covered <= HIGHEST
    assert wrong <= 1 - LOWEST


@pytest.mark.parametrize("spread", [(0, 1, 1), (0.05, 1, 1), (1, 1, 1)], ids=str)
def test_intervals_over_three_tasks_cover_as_stated(spread: tuple[float, float, float]) -> None:
    assert LOWEST <= simulate(spread, seeds=5, tasks=3, items=100)[0] <= HIGHEST


def test_one_seed_covers_as_stated_where_seeds_do_not_matter() -> None:
    assert LOWEST <= simulate((0, 1, 1), seeds=1)[0] <= HIGHEST


def test_items_about_one_thing_would_make_intervals_too_short() -> None:
    together, alone, _ = simulate((0, 1, 1), seeds=5, tasks=3, items=120, per=2)
    assert LOWEST <= together <= HIGHEST
    assert alone < 0.85


def test_the_mean_weighs_tasks_and_not_items() -> None:
    few, many = np.array([[1.0, 3.0]]), np.zeros((1, 50)) + np.arange(50) % 2
    assert effect([few, many]).mean == pytest.approx((2.0 + 0.5) / 2)


def test_one_seed_agrees_with_the_textbook() -> None:
    table = np.random.default_rng(0).normal(1, 2, (1, 40))
    found = effect([table])
    assert found.error == pytest.approx(table.std(ddof=1) / np.sqrt(40))
    assert (found.seeds, found.items, found.freedom) == (1, 40, 39)


def test_seeds_that_drown_items_leave_a_t_test_over_seeds() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(0, 100, (5, 1)) + rng.normal(0, 1, (5, 200))
    found = effect([table])
    means = table.mean(axis=1)
    assert found.error == pytest.approx(means.std(ddof=1) / np.sqrt(5), rel=0.01)
    assert found.freedom == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([], "at least one task"),
        ([np.zeros((0, 3))], "at least one task"),
        ([np.zeros((2, 3)), np.zeros((3, 3))], "same seeds"),
        ([np.zeros((2, 1))], "at least two items"),
    ],
)
def test_tables_without_an_effect_are_refused(tables: list[np.ndarray], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        effect(tables)


def test_p_values_agree_with_intervals() -> None:
    found = effect([np.random.default_rng(0).normal(2, 3, (5, 40))])
    low, _ = found.interval(0.95)
    assert found.p_above(low) == pytest.approx(0.025)
    assert found.p_above(0.3) + found.p_below(0.3) == pytest.approx(1)


def test_what_never_varies_is_certain() -> None:
    certain = effect([np.ones((5, 40))])
    assert (certain.p_above(0), certain.p_above(1), certain.p_below(2)) == (0.0, 1.0, 0.0)


def test_one_number_per_seed_is_a_paired_t_test() -> None:
    values = np.random.default_rng(0).normal(0.5, 1, 6)
    found = effect_of_seeds(values)
    wanted = stats.ttest_1samp(values, 0.0)
    assert found.interval() == pytest.approx(tuple(wanted.confidence_interval(0.95)))
    assert 2 * min(found.p_above(0), found.p_below(0)) == pytest.approx(wanted.pvalue)
    assert (found.seeds, found.items) == (6, 0)
    with pytest.raises(ValueError, match="at least two seeds"):
        effect_of_seeds(values[:1])


def test_holm() -> None:
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.9})
    assert adjusted == pytest.approx({"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.9})
    assert holm({}) == {}


def test_holm_keeps_the_rate_of_any_false_verdict() -> None:
    rng = np.random.default_rng(3)
    draws = rng.uniform(size=(2000, 4))
    wrong = sum(min(holm(dict(enumerate(row))).values()) < 0.05 for row in draws)  # type: ignore[arg-type]
    assert wrong / 2000 < 0.06
