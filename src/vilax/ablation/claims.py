"""Claims: from scores per item to holds, contradicts or undecided."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vilax.ablation.statistics import Effect, Table, effect, holm, seeds_to_decide
from vilax.config.schema.comparison import (
    Claim,
    Endpoint,
    EqualClaim,
    InteractionClaim,
    OrderClaim,
)

Scores = Mapping[str, Mapping[int, Mapping[str, Mapping[int, Mapping[str, float]]]]]
"""Arm, seed, task, shots, item to the item's score in its natural unit."""

LEVEL = 0.95
SEEDS_NEEDED = 5
"""Fewer seeds never decide: their interval does not know how far another seed may lie."""

Word = Literal["holds", "contradicts", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """What the scores say of a claim.

    Attributes:
        verdict: the word.
        reason: why, in a sentence.
        effect: the measured difference on the endpoint's scale; None where there is none.
        interval: its 95 % interval, unadjusted.
        seeds: number of seeds in it.
        items: number of items in it.
        p: the smaller p value of the claim and its opposite, unadjusted; None where untested.
        p_adjusted: after Holm's correction over the comparison's claims.
    """

    verdict: Word
    reason: str
    effect: float | None = None
    interval: tuple[float, float] | None = None
    seeds: int = 0
    items: int = 0
    p: float | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True)
class _Test:
    """A claim's effect with p values for it and for its opposite."""

    found: Effect
    p_for: float
    p_against: float
    bound: float


def judge(
    claims: Mapping[str, Claim],
    endpoints: Mapping[str, Endpoint],
    scores: Scores,
    failed_controls: Mapping[str, str],
) -> dict[str, Verdict]:
    """The verdict of every claim of a comparison.

    Args:
        claims: by name.
        endpoints: by the name that claims use.
        scores: of every arm that was evaluated.
        failed_controls: task to the reason why it may not carry a claim.
    """
    verdicts: dict[str, Verdict] = {}
    tests: dict[str, _Test] = {}
    for name, claim in claims.items():
        endpoint = endpoints[claim.endpoint]
        missing = [arm for arm in arms_of(claim) if not scores.get(arm)]
        if missing:
            reason = f"no scores of arm {', '.join(missing)}"
            verdicts[name] = Verdict("undecided", reason)
            continue
        tests[name] = _test(claim, endpoint, scores)
        verdicts[name] = _undecided(tests[name], "")
    adjusted = holm({name: 2 * min(t.p_for, t.p_against) for name, t in tests.items()})
    for name, test in tests.items():
        failed = [t for t in endpoints[claims[name].endpoint].tasks if t in failed_controls]
        verdicts[name] = replace(
            _decide(test, adjusted[name], [failed_controls[task] for task in failed]),
            p=min(1.0, 2 * min(test.p_for, test.p_against)),
            p_adjusted=adjusted[name],
        )
    return verdicts


def arms_of(claim: Claim) -> tuple[str, str]:
    """The two arms that a claim speaks of."""
    if isinstance(claim, EqualClaim):
        return claim.first, claim.second
    return claim.higher, claim.lower


def differences(claim: Claim, endpoint: Endpoint, scores: Scores) -> list[Table]:
    """For each task of the endpoint the claim's difference by seed and item, on its scale."""
    one, other = arms_of(claim)
    if isinstance(claim, InteractionClaim):
        high = _paired(scores, one, other, endpoint, claim.k_high)
        low = _paired(scores, one, other, endpoint, claim.k_low)
        return [above - below for above, below in zip(high, low, strict=True)]
    return _paired(scores, one, other, endpoint, claim.k)


def _paired(scores: Scores, one: str, other: str, endpoint: Endpoint, k: int) -> list[Table]:
    seeds = sorted(set(scores[one]) & set(scores[other]))
    tables = []
    for task in endpoint.tasks:
        items = sorted(
            set.intersection(
                *(set(scores[arm][seed][task][k]) for arm in (one, other) for seed in seeds)
            )
        )
        rows = [
            [scores[one][s][task][k][i] - scores[other][s][task][k][i] for i in items]
            for s in seeds
        ]
        tables.append(endpoint.scale * np.array(rows, dtype=np.float64))
    return tables


def _test(claim: Claim, endpoint: Endpoint, scores: Scores) -> _Test:
    found = effect(differences(claim, endpoint, scores))
    margin = claim.margin
    if isinstance(claim, EqualClaim):
        # Two one-sided tests (Schuirmann 1987): equal within the margin, or outside of it.
        inside = max(found.p_above(-margin), found.p_below(margin))
        outside = min(found.p_above(margin), found.p_below(-margin))
        bound = margin if found.mean >= 0 else -margin
        return _Test(found, inside, outside, bound)
    assert isinstance(claim, OrderClaim | InteractionClaim)
    return _Test(found, found.p_above(margin), found.p_below(margin), margin)


def _decide(test: _Test, adjusted: float, failed_controls: list[str]) -> Verdict:
    found = test.found
    if failed_controls:
        return _undecided(test, "; ".join(failed_controls))
    if found.seeds < SEEDS_NEEDED:
        have = "1 seed" if found.seeds == 1 else f"{found.seeds} seeds"
        scope = "; the interval is over the items of this run alone" if found.seeds == 1 else ""
        return _undecided(test, f"a verdict needs {SEEDS_NEEDED} seeds, there is {have}{scope}")
    if adjusted <= 1 - LEVEL:
        word: Word = "holds" if test.p_for < test.p_against else "contradicts"
        return replace(_undecided(test, f"Holm-adjusted p = {adjusted:.2g}"), verdict=word)
    more = seeds_to_decide(found, test.bound)
    hint = (
        f"about {more} seeds would decide, if effect and spread stay"
        if more is not None
        else "more seeds alone would not decide: more items are needed, or there is no difference"
    )
    return _undecided(test, f"Holm-adjusted p = {adjusted:.2g}; {hint}")


def _undecided(test: _Test, reason: str) -> Verdict:
    found = test.found
    return Verdict("undecided", reason, found.mean, found.interval(LEVEL), found.seeds, found.items)


def control_failure(
    task: str, control: str, figures: Mapping[int, float], chance: float | None, k: int
) -> str | None:
    """Why a task may not carry a claim: the base LLM does not solve it in text. None: it does.

    Args:
        task: the task on pictures.
        control: its form in text.
        figures: the base LLM's mean score by shots, 0..1.
        chance: score of a blind guess.
        k: shots at which it is asked.
    """
    if k not in figures:
        return f"the control {control} of {task} was not measured at {k} shots"
    needed = 0.5 * (1 + (chance or 0.0))
    if figures[k] >= needed:
        return None
    return (
        f"the base LLM solves {control} in {100 * figures[k]:.0f} % at {k} shots, below the"
        f" {100 * needed:.0f} % that a claim on {task} needs"
    )
