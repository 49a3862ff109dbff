"""Every way to a verdict."""

from typing import Any

import numpy as np
import pytest

from vilax.ablation.claims import Verdict, control_failure, judge
from vilax.config.schema.comparison import (
    Claim,
    Endpoint,
    EqualClaim,
    GainClaim,
    GapClaim,
    InteractionClaim,
    OrderClaim,
)

ENDPOINTS = {"score": Endpoint(title="Score", tasks=("one", "two"))}
TEXT = {"text": "It is so.", "paper": "1 and 2", "endpoint": "score"}
ORDER = OrderClaim(**TEXT, higher="x", lower="y")
EQUAL = EqualClaim(**TEXT, first="x", second="y", margin=5.0)
GAIN = InteractionClaim(**TEXT, higher="x", lower="y")
GAP = GapClaim(**TEXT, higher="x", lower="y", margin=5.0)
RISE = GainClaim(**TEXT, arm="x")
FALL = GainClaim(**TEXT, arm="x", direction="down", margin=2.0)


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
        (GAP, scores(5, 0.6, 0.5), "holds"),
        (GAP, scores(5, 0.52, 0.5), "contradicts"),
        (RISE, scores(5, 0.5, 0.5, x_gain=0.1), "holds"),
        (RISE, scores(5, 0.5, 0.5, x_gain=-0.1), "contradicts"),
        (RISE, scores(5, 0.5, 0.9), "undecided"),
        (FALL, scores(5, 0.5, 0.5, x_gain=-0.1), "holds"),
        (FALL, scores(5, 0.5, 0.5, x_gain=-0.01), "contradicts"),
    ],
)
def test_verdicts(claim: Claim, given: dict[str, Any], word: str) -> None:
    assert verdict(claim, given).verdict == word


FOUR = InteractionClaim(**TEXT, higher=("p", "q"), lower=("x", "y"), k=4)


@pytest.mark.parametrize(
    ("wide", "narrow", "word"),
    [(0.3, 0.1, "holds"), (0.1, 0.3, "contradicts"), (0.2, 0.2, "undecided")],
)
def test_an_interaction_of_four_arms_compares_two_differences(
    wide: float, narrow: float, word: str
) -> None:
    pair = scores(5, 0.4 + wide, 0.4)
    given = scores(5, 0.4 + narrow, 0.4) | {"p": pair["x"], "q": pair["y"]}
    found = verdict(FOUR, given)
    assert found.verdict == word
    assert found.effect == pytest.approx(100 * (wide - narrow), abs=1)
    del given["q"]
    assert verdict(FOUR, given).reason == "no scores of arm q"


def test_a_gain_needs_one_arm_alone() -> None:
    given = scores(5, 0.5, 0.5, x_gain=0.1)
    del given["y"]
    assert verdict(RISE, given).verdict == "holds"
    assert verdict(FALL, given).effect == pytest.approx(-10, abs=1)


LOSS = {"score": Endpoint(title="Loss", measure="held_out.pages")}


def losses(gap: float, seeds: int = 5) -> dict[tuple[str, int], dict[str, Any]]:
    rng = np.random.default_rng(0)
    return {
        (arm, seed): {"held_out": {"pages": {"loss": base + rng.normal(0, 0.02), "tokens": 9}}}
        for arm, base in (("x", 2.0 + gap), ("y", 2.0))
        for seed in range(seeds)
    }


@pytest.mark.parametrize(
    ("claim", "gap", "word"),
    [
        (ORDER, 0.2, "holds"),
        (ORDER, -0.2, "contradicts"),
        (ORDER, 0.0, "undecided"),
        (EQUAL.model_copy(update={"margin": 0.1}), 0.0, "holds"),
    ],
)
def test_a_measure_is_judged_over_seeds(claim: Claim, gap: float, word: str) -> None:
    found = judge({"it": claim}, LOSS, {}, {}, measures=losses(gap))["it"]
    assert (found.verdict, found.seeds, found.items) == (word, 5, 0)
    assert found.effect == pytest.approx(gap, abs=0.05)


def test_a_measure_at_one_seed_has_no_interval() -> None:
    found = judge({"it": ORDER}, LOSS, {}, {}, measures=losses(0.2, seeds=1))["it"]
    assert (found.verdict, found.interval, found.p) == ("undecided", None, None)
    assert found.reason == "needs 5 seeds, has 1; one number has no interval"
    assert found.effect == pytest.approx(0.2, abs=0.05)


def test_a_measure_that_is_absent_is_named_with_its_arm() -> None:
    given = losses(0.2)
    for seed in range(5):
        given["y", seed] = {"alignment": {"layers": [1, 2], "values": [0.1, 0.2]}}
    found = judge({"it": ORDER}, LOSS, {}, {}, measures=given)["it"]
    assert found.reason == "held_out.pages was not measured on arm y"
    found = judge({"it": ORDER}, LOSS, {}, {})["it"]
    assert found.reason == "held_out.pages was not measured on arm x, y"


def test_the_papers_effect_is_given_a_power() -> None:
    small, large = (ORDER.model_copy(update={"paper_effect": size}) for size in (0.2, 20.0))
    given = scores(5, 0.6, 0.5, seed_spread=0.02)
    low, high = verdict(small, given).power, verdict(large, given).power
    assert low is not None and high is not None
    assert low < 0.1 < 0.95 < high
    assert verdict(large, scores(1, 0.6, 0.5)).power is None
    assert verdict(ORDER, given).power is None


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
