"""Every way that a claim can end."""

import numpy as np
import pytest

from vilax.ablation.claims import control_failure, judge
from vilax.config.schema.comparison import (
    Endpoint,
    EqualClaim,
    InteractionClaim,
    OrderClaim,
)

ENDPOINTS = {"one": Endpoint(title="t", tasks=("task",)), "two": Endpoint(title="t", tasks=("task", "other"))}


def scores(means: dict[str, dict[int, float]], seeds: int = 5, noise: float = 0.02, items: int = 60):
    rng = np.random.default_rng(0)
    return {
        arm: {
            seed: {
                task: {
                    k: {f"i{i}": mean + noise * rng.normal() for i in range(items)}
                    for k, mean in by_k.items()
                }
                for task in ("task", "other")
            }
            for seed in range(seeds)
        }
        for arm, by_k in means.items()
    }


def order(**extra) -> OrderClaim:
    return OrderClaim(text="t", paper="p", endpoint="two", higher="a", lower="b", **extra)


def equal(**extra) -> EqualClaim:
    return EqualClaim(text="t", paper="p", endpoint="one", first="a", second="b", margin=5, **extra)


def gain(**extra) -> InteractionClaim:
    return InteractionClaim(text="t", paper="p", endpoint="one", higher="a", lower="b", **extra)


def verdict(claim, means, **extra) -> str:
    found = judge({"x": claim}, ENDPOINTS, scores(means, **extra), {})["x"]
    return found.verdict


@pytest.mark.parametrize(
    ("claim", "a", "b", "word"),
    [
        (order(), {0: 0.6}, {0: 0.4}, "holds"),
        (order(), {0: 0.4}, {0: 0.6}, "contradicts"),
        (order(), {0: 0.5}, {0: 0.5}, "undecided"),
        (order(margin=30), {0: 0.6}, {0: 0.4}, "contradicts"),
        (equal(), {0: 0.5}, {0: 0.51}, "holds"),
        (equal(), {0: 0.5}, {0: 0.7}, "contradicts"),
        (equal(), {0: 0.7}, {0: 0.5}, "contradicts"),
        (equal(), {0: 0.5}, {0: 0.55}, "undecided"),
        (gain(), {0: 0.5, 4: 0.8}, {0: 0.5, 4: 0.4}, "holds"),
        (gain(), {0: 0.5, 4: 0.5}, {0: 0.2, 4: 0.5}, "contradicts"),
        (gain(), {0: 0.2, 4: 0.5}, {0: 0.3, 4: 0.6}, "undecided"),
    ],
)
def test_verdicts(claim, a, b, word: str) -> None:
    assert verdict(claim, {"a": a, "b": b}) == word


def test_effect_is_on_the_endpoints_scale() -> None:
    found = judge({"x": order()}, ENDPOINTS, scores({"a": {0: 0.6}, "b": {0: 0.4}}), {})["x"]
    assert found.effect == pytest.approx(20, abs=1)
    low, high = found.interval
    assert low < 20 < high
    assert (found.seeds, found.items) == (5, 120)


@pytest.mark.parametrize("seeds", [1, 4])
def test_fewer_than_five_seeds_never_decide(seeds: int) -> None:
    table = scores({"a": {0: 0.9}, "b": {0: 0.1}}, seeds)
    found = judge({"x": order()}, ENDPOINTS, table, {})["x"]
    assert found.verdict == "undecided"
    assert "needs 5 seeds" in found.reason
    assert ("this run alone" in found.reason) == (seeds == 1)
    assert found.interval is not None


def test_a_missing_arm_is_named() -> None:
    found = judge({"x": order()}, ENDPOINTS, scores({"a": {0: 1.0}}), {})["x"]
    assert (found.verdict, found.reason) == ("undecided", "no scores of arm b")


def test_a_failed_control_leaves_a_claim_open() -> None:
    table = scores({"a": {0: 0.9}, "b": {0: 0.1}})
    found = judge({"x": order()}, ENDPOINTS, table, {"other": "the base LLM cannot"})["x"]
    assert (found.verdict, found.reason) == ("undecided", "the base LLM cannot")


def test_holm_over_the_claims_of_a_comparison() -> None:
    close = {"a": {0: 0.507, 4: 0.5}, "b": {0: 0.5, 4: 0.5}}
    table = scores(close, noise=0.02)
    alone = judge({"x": order()}, ENDPOINTS, table, {})["x"]
    many = judge({f"x{i}": order() for i in range(8)}, ENDPOINTS, table, {})["x0"]
    assert many.p == alone.p
    assert many.p_adjusted == pytest.approx(min(1.0, 8 * alone.p))


def test_a_control_needs_half_the_way_from_chance() -> None:
    assert control_failure("relation", "text", {4: 0.9}, 0.1, 4) is None
    assert "solves text in 30 % at 4 shots" in control_failure("r", "text", {4: 0.3}, 0.1, 4)
    assert "not measured" in control_failure("r", "text", {}, None, 4)
