"""Every way to a verdict."""

from typing import Any

import numpy as np
import pytest

from vilax.ablation.claims import Verdict, control_failure, judge
from vilax.config.schema.comparison import (
    Claim,
    Endpoint,
    EqualClaim,
    InteractionClaim,
    OrderClaim,
)

ENDPOINTS = {"score": Endpoint(title="Score", tasks=("one", "two"))}
TEXT = {"text": "It is so.", "paper": "1 and 2", "endpoint": "score"}
ORDER = OrderClaim(**TEXT, higher="x", lower="y")
EQUAL = EqualClaim(**TEXT, first="x", second="y", margin=5.0)
GAIN = InteractionClaim(**TEXT, higher="x", lower="y")


def scores(
    seeds: int, x: float, y: float, x_gain: float = 0.0, seed_spread: float = 0.0
) -> dict[str, Any]:
    """Scores of two arms with given means on two tasks of 100 items, at 0 and 4 shots."""
    rng = np.random.default_rng(0)
    hardness = rng.normal(0, 0.1, 100)
    made: dict[str, Any] = {}
    for arm, level, gain in (("x", x, x_gain), ("y", y, 0.0)):
        made[arm] = {}
        for seed in range(seeds):
            luck = rng.normal(0, seed_spread)
            made[arm][seed] = {
                task: {
                    k: {
                        f"{task}-{i}": level + luck + hardness[i] + extra + rng.normal(0, 0.05)
                        for i in range(100)
                    }
                    for k, extra in ((0, 0.0), (4, gain))
                }
                for task in ("one", "two")
            }
    return made


def verdict(claim: Claim, given: dict[str, Any], **failed: str) -> Verdict:
    return judge({"it": claim}, ENDPOINTS, given, failed)["it"]


@pytest.mark.parametrize(
    ("claim", "given", "word"),
    [
        (ORDER, scores(5, 0.6, 0.5), "holds"),
        (ORDER, scores(5, 0.5, 0.6), "contradicts"),
        (ORDER, scores(5, 0.5, 0.5), "undecided"),
        (ORDER, scores(5, 0.6, 0.5, seed_spread=0.2), "undecided"),
        (ORDER.model_copy(update={"margin": 5.0}), scores(5, 0.6, 0.5), "holds"),
        (ORDER.model_copy(update={"margin": 20.0}), scores(5, 0.6, 0.5), "contradicts"),
        (EQUAL, scores(5, 0.5, 0.5), "holds"),
        (EQUAL, scores(5, 0.6, 0.5), "contradicts"),
        (EQUAL, scores(5, 0.5, 0.6), "contradicts"),
        (EQUAL, scores(5, 0.5, 0.5, seed_spread=0.2), "undecided"),
        (GAIN, scores(5, 0.5, 0.5, x_gain=0.1), "holds"),
        (GAIN, scores(5, 0.5, 0.5, x_gain=-0.1), "contradicts"),
        (GAIN, scores(5, 0.9, 0.5), "undecided"),
    ],
)
def test_verdicts(claim: Claim, given: dict[str, Any], word: str) -> None:
    assert verdict(claim, given).verdict == word


def test_the_effect_is_on_the_endpoints_scale() -> None:
    found = verdict(ORDER, scores(5, 0.6, 0.5))
    assert found.effect == pytest.approx(10, abs=0.5)
    assert found.interval is not None and found.interval[0] < 10 < found.interval[1]
    assert (found.seeds, found.items) == (5, 200)


def test_one_seed_never_decides_and_says_what_its_interval_is() -> None:
    found = verdict(ORDER, scores(1, 0.9, 0.1))
    assert found.verdict == "undecided"
    assert found.reason == "needs 5 seeds, has 1; the interval is over items of this run only"
    assert found.interval is not None and found.interval[0] > 0


def test_few_seeds_say_how_many_would_decide() -> None:
    found = verdict(ORDER, scores(3, 0.6, 0.5, seed_spread=0.03))
    assert found.verdict == "undecided"
    assert found.reason.startswith("needs 5 seeds, has 3; about ")


def test_a_difference_too_small_says_what_would_decide() -> None:
    found = verdict(ORDER, scores(5, 0.6, 0.5, seed_spread=0.1))
    assert found.verdict == "undecided"
    assert "seeds would decide" in found.reason


def test_a_missing_arm_is_named() -> None:
    given = scores(5, 0.6, 0.5)
    given["y"] = {}
    found = verdict(ORDER, given)
    assert (found.verdict, found.reason) == ("undecided", "no scores of arm y")
    assert found.effect is None and found.p is None


def test_an_arm_that_lacks_a_seed_counts_the_common_ones() -> None:
    given = scores(5, 0.6, 0.5)
    del given["y"][2]
    assert verdict(ORDER, given).seeds == 4
    given["y"] = {9: given["y"][0]}
    assert "no seed in common" in verdict(ORDER, given).reason


def test_missing_shots_are_named() -> None:
    given = scores(5, 0.6, 0.5)
    del given["x"][3]["two"][4]
    assert verdict(GAIN, given).reason == "arm x, seed 3, has no scores of two at 4 shots"
    assert verdict(ORDER, given).verdict == "holds"


def test_too_few_common_items_are_named() -> None:
    given = scores(5, 0.6, 0.5)
    given["x"][0]["one"][0] = {"another": 1.0}
    assert "one has fewer than two items" in verdict(ORDER, given).reason


def test_a_failed_control_decides_nothing_and_says_why() -> None:
    found = verdict(ORDER, scores(5, 0.6, 0.5), two="the base LLM cannot do two")
    assert (found.verdict, found.reason) == ("undecided", "the base LLM cannot do two")
    assert found.effect == pytest.approx(10, abs=0.5)


def test_a_floor_is_no_equality() -> None:
    given = scores(5, 0.5, 0.5)
    for arm in given.values():
        for tasks in arm.values():
            for by_k in tasks.values():
                for items in by_k.values():
                    items.update(dict.fromkeys(items, 0.0))
    found = verdict(EQUAL, given)
    assert found.verdict == "undecided"
    assert "floor" in found.reason


def test_holm_over_the_claims_of_a_comparison() -> None:
    given = scores(5, 0.510, 0.5, seed_spread=0.004)
    alone = verdict(ORDER, given)
    assert alone.p is not None and 0.01 < alone.p < 0.05
    assert alone.verdict == "holds"
    others = {f"idle {i}": OrderClaim(**TEXT, higher="x", lower="absent") for i in range(9)}
    among = judge({"it": ORDER, **others}, ENDPOINTS, given, {})
    assert among["it"].verdict == "undecided"
    assert among["it"].p == alone.p
    assert among["it"].p_adjusted == pytest.approx(10 * alone.p)
    assert list(among) == ["it", *others]


def test_items_about_one_subject_widen_the_interval() -> None:
    given = scores(1, 0.6, 0.5)
    rng = np.random.default_rng(1)
    shifts = np.repeat(rng.normal(0, 0.3, 25), 4)
    for i, shift in enumerate(shifts):
        for task in ("one", "two"):
            given["x"][0][task][0][f"{task}-{i}"] += shift
    subjects = {f"{task}-{i}": str(i // 4) for i in range(100) for task in ("one", "two")}
    apart = judge({"it": ORDER}, ENDPOINTS, given, {})["it"].interval
    together = judge({"it": ORDER}, ENDPOINTS, given, {}, subjects)["it"].interval
    assert apart is not None and together is not None
    assert together[1] - together[0] > 1.8 * (apart[1] - apart[0])


@pytest.mark.parametrize(
    ("figure", "chance", "is_solved"),
    [
        (0.95, 0.1, True),
        (0.61, 0.1, True),
        (0.55, 0.05, False),
        (0.7, 0.5, False),
        (0.8, 0.5, True),
    ],
)
def test_the_base_llm_must_solve_the_text_form(
    figure: float, chance: float, is_solved: bool
) -> None:
    reason = control_failure("relation", "text_relation", {4: figure}, chance, 4)
    assert (reason is None) == is_solved


def test_a_control_that_was_not_measured_fails() -> None:
    reason = control_failure("relation", "text_relation", {}, 0.1, 4)
    assert reason == "the control text_relation of relation was not measured at 4 shots"
