"""Claims are honest: what simulated comparisons with a known truth are told.

Each share below comes from ``ROUNDS`` repetitions with a fixed seed. Its Monte-Carlo error is the
binomial one; a share is held against the stated rate give or take three of them, about two points.
``python -m tests.ablation.simulation`` repeats ten times as often.
"""

from math import sqrt
from typing import Any

import numpy as np
import pytest

from tests.ablation.simulation import (
    EQUAL,
    KINDS,
    LATENT,
    TEXT,
    WORLDS,
    World,
    coverage,
    decided,
    draw,
    simulate,
)
from vilax.ablation import claims
from vilax.ablation.calibration import calibrate, null_pairs
from vilax.ablation.claims import judge
from vilax.ablation.contrast import contrast
from vilax.ablation.power import power, resized
from vilax.ablation.statistics import Moments, moments_of_seeds
from vilax.config.schema.comparison import (
    Claim,
    Comparison,
    Endpoint,
    InteractionClaim,
    OrderClaim,
)

ROUNDS = 1000


def slack(rate: float, rounds: int = ROUNDS) -> float:
    """Three Monte-Carlo standard errors of a share."""
    return 3 * sqrt(rate * (1 - rate) / rounds)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_intervals_cover_and_no_effect_is_seldom_decided(world: World, kind: str) -> None:
    found = simulate(world, KINDS[kind], ROUNDS)
    covered = coverage(found)
    assert 0.95 - slack(0.95) <= covered < 0.999
    up, down = decided(found, 0.0, 0.025)
    assert up + down <= 0.05 + slack(0.05)
    assert max(up, down) <= 0.025 + slack(0.025)


def measured(seeds: int, tails: int | None, kind: str, shift: float = 0.0) -> Moments:
    """Effects of a measure, one number per arm and seed."""
    rng = np.random.default_rng(2)
    weights = [term.weight for term in contrast(KINDS[kind]).terms]
    shape = (20 * ROUNDS, seeds, len(weights))
    drawn = rng.normal(size=shape) if tails is None else rng.standard_t(tails, shape)
    return moments_of_seeds(shift + drawn @ np.array(weights))


@pytest.mark.parametrize("kind", ["order", "interaction of four"])
@pytest.mark.parametrize("tails", [None, 3])
@pytest.mark.parametrize("seeds", [5, 8])
def test_intervals_of_measures_cover(seeds: int, tails: int | None, kind: str) -> None:
    covered = coverage(measured(seeds, tails, kind))
    assert 0.95 - slack(0.95, 20 * ROUNDS) <= covered < 0.99
    found = measured(seeds, None, kind, 4.0)
    assert decided(found, 0.0, 0.025)[0] > 0.6


@pytest.mark.parametrize(
    "world", [World(), World(luck=0.3), World(luck=1.0, seeds=8), World(luck=0.1, per=4)], ids=str
)
def test_equality_is_seldom_shown_at_its_margin_and_mostly_well_inside(world: World) -> None:
    claim = EQUAL.model_copy(update={"margin": 1.0})
    shares = {}
    for shift in (1.0, 0.0):
        found = simulate(world, claim, ROUNDS, {("a", 0): shift, ("b", 0): 0.0})
        above = decided(found, -claim.margin, 0.05)[0]
        below = decided(found, claim.margin, 0.05)[1]
        shares[shift] = above + below - 1 if shift == 0 else min(above, below)
    assert shares[1.0] <= 0.05 + slack(0.05)
    if world.luck < 1:
        assert shares[0.0] > 0.6


FAMILY: dict[str, Claim] = {
    "order": OrderClaim(**TEXT, higher="a", lower="b"),
    "shots": OrderClaim(**TEXT, higher="a", lower="c", k=4),
    **{name: claim for name, claim in KINDS.items() if name != "order"},
    "reverse": InteractionClaim(**TEXT, higher=("a", "c"), lower=("b", "d"), k=4),
    "loss": OrderClaim(**(TEXT | {"endpoint": "loss"}), higher="a", lower="b"),
}
ENDPOINTS = {
    "score": Endpoint(title="Score", tasks=("task",)),
    "loss": Endpoint(title="Loss", measure="held_out"),
}


def run_of(rng: np.random.Generator, luck: float, shift: float = 0.0) -> tuple[Any, Any]:
    """Scores and measures of four arms, ``a`` better by ``shift``, as the store would give them."""
    items = 60
    hardness = rng.normal(0, 1, items)
    scores: Any = {}
    measures: Any = {}
    for arm in "abcd":
        own = rng.normal(0, 0.5, items)
        scores[arm] = {}
        for seed in range(5):
            values = hardness + own + rng.normal(0, luck) + shift * (arm == "a")
            scores[arm][seed] = {
                "task": {
                    k: dict(enumerate((values + rng.normal(0, 1, items) > 0).astype(float)))
                    for k in (0, 4)
                }
            }
            measures[arm, seed] = {"held_out": {"x": {"loss": rng.normal(2, 0.1), "tokens": 9}}}
    return scores, measures


@pytest.mark.parametrize(("luck", "shift"), [(0.0, 0.0), (0.3, 0.0), (0.3, 3.0)])
def test_a_comparison_without_effects_seldom_gets_any_verdict(
    luck: float, shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_projection", lambda test: "")  # its text decides nothing
    rng = np.random.default_rng(4)
    rounds = 40 if shift else 300
    decided_any = 0
    for _ in range(rounds):
        scores, measures = run_of(rng, luck, shift)
        verdicts = judge(FAMILY, ENDPOINTS, scores, {}, measures=measures)
        decided_any += any(verdict.verdict != "undecided" for verdict in verdicts.values())
    if shift:
        assert decided_any > 0.9 * rounds
    else:
        assert decided_any / rounds <= 0.05 + slack(0.05, rounds)


@pytest.mark.parametrize(
    ("points", "low", "high"), [(53.4, 0.99, 1.0), (11.2, 0.7, 1.0), (2.1, 0.0, 0.2)]
)
def test_effects_of_the_papers_size_are_found_as_often_as_power_says(
    points: float, low: float, high: float
) -> None:
    world = World(luck=0.1, items=300, level=0.45)
    alpha = 0.05 / len(KINDS) / 2
    levels = {("a", 0): 0.45 + points / 200, ("b", 0): 0.45 - points / 200}
    found = simulate(world, KINDS["order"], ROUNDS, levels)
    share, wrong = decided(found, 0.0, alpha)
    assert low <= share <= high
    assert wrong < 0.01
    assert found.mean.mean() == pytest.approx(points / 100, abs=0.005)
    known = simulate(World(seeds=100, items=1000, luck=0.1, level=0.45), KINDS["order"], 1, levels)
    typical = Moments(
        known.mean[0], known.over_seeds[0], known.over_items[0], known.rest[0], 100, 1000
    )
    assert power(resized(typical, 5, 0.3), points / 100, alpha) == pytest.approx(share, abs=0.1)


def test_a_draw_is_what_it_says() -> None:
    world = World(level=0.9, items=200)
    rng = np.random.default_rng(0)
    table = draw(world, contrast(KINDS["order"]), 200, rng, {("b", 0): 0.0})
    assert table.mean() == pytest.approx(0.9, abs=0.01)
    wide = draw(World(items=400), contrast(KINDS["order"]), 200, rng)
    assert wide.std() == pytest.approx(sqrt(2 * (LATENT**2 - 1.25)), rel=0.05)


def test_null_arms_are_calibrated() -> None:
    rng = np.random.default_rng(8)
    excluded = cells = 0
    for _ in range(200):
        found = calibrate("c", "d", run_of(rng, 0.1)[0])
        excluded, cells = excluded + found.excluded, cells + len(found.cells)
    assert cells == 400
    assert 0 < excluded / cells <= 0.05 + slack(0.05, cells)
    apart = calibrate("a", "d", run_of(rng, 0.1, shift=4.0)[0])
    assert apart.excluded == 2
    assert "a and d are equal but for the seed: 2 of 2 intervals" in apart.line
    assert "up to 1 in 95 of 100" in apart.line


def test_null_arms_without_common_runs_have_no_cells() -> None:
    scores = run_of(np.random.default_rng(0), 0.1)[0]
    assert calibrate("a", "absent", scores).cells == ()
    scores["b"] = {9: scores["b"][0]}
    assert calibrate("a", "b", scores).cells == ()
    one = {arm: {0: scores[arm][0]} for arm in "cd"}
    assert "with 1 seed they are over items alone" in calibrate("c", "d", one).line


def test_null_arms_differ_in_the_offset_of_the_seed_alone() -> None:
    arm = {"title": "Arm", "overrides": {"projector": "linear"}}
    comparison = Comparison.model_validate(
        {
            "title": "Null",
            "question": "Is chance called an effect?",
            "varies": [],
            "endpoints": {"score": {"title": "Score", "tasks": ["task"]}},
            "paper": {"source": "", "columns": [], "rows": {}},
            "claims": {},
            "arms": {
                "one": arm,
                "other": arm | {"seed_offset": 50},
                "twin": arm,
                "else": {"title": "Else", "seed_offset": 7},
            },
        }
    )
    assert null_pairs(comparison) == [("one", "other"), ("other", "twin")]
