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
CONTROL_NEEDED = 0.6
"""Share that the base LLM must solve in text, and at least half of the way from chance to all."""

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
        p: p value of the claim or of its opposite, whichever is nearer, unadjusted; None where
            untested.
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
    """A claim's effect with one-sided p values for it and for its opposite.

    An ordering may be decided either way, so both sides count. Equality is shown by two one-sided
    tests at the full level (Schuirmann 1987), refuted by an effect outside the margin, either side.
    """

    found: Effect
    p_for: float
    p_against: float
    bound: float
    is_equality: bool

    @property
    def p(self) -> float:
        """p value of whichever of the two verdicts is nearer."""
        p_for = self.p_for if self.is_equality else 2 * self.p_for
        return min(1.0, p_for, 2 * self.p_against)


def judge(
    claims: Mapping[str, Claim],
    endpoints: Mapping[str, Endpoint],
    scores: Scores,
    failed_controls: Mapping[str, str],
    subjects: Mapping[str, str] | None = None,
) -> dict[str, Verdict]:
    """The verdict of every claim of a comparison.

    Args:
        claims: by name.
        endpoints: by the name that claims use.
        scores: of every arm that was evaluated.
        failed_controls: task to the reason why it may not carry a claim.
        subjects: item to what it asks about; items about one thing are no independent draws. An
            item that is not named stands alone.
    """
    verdicts: dict[str, Verdict] = {}
    tests: dict[str, _Test] = {}
    for name, claim in claims.items():
        endpoint = endpoints[claim.endpoint]
        lack = _lacking(claim, endpoint, scores)
        if lack:
            verdicts[name] = Verdict("undecided", lack)
        else:
            tests[name] = _test(claim, endpoint, scores, subjects or {})
    # The family is what was claimed beforehand, so untested claims count in it.
    adjusted = holm({name: tests[name].p if name in tests else 1.0 for name in claims})
    for name, test in tests.items():
        failed = [t for t in endpoints[claims[name].endpoint].tasks if t in failed_controls]
        verdicts[name] = replace(
            _decide(test, adjusted[name], [failed_controls[task] for task in failed]),
            p=test.p,
            p_adjusted=adjusted[name],
        )
    return {name: verdicts[name] for name in claims}


def _lacking(claim: Claim, endpoint: Endpoint, scores: Scores) -> str:
    """What a claim's test lacks, in words; empty: nothing."""
    arms = arms_of(claim)
    missing = [arm for arm in arms if not scores.get(arm)]
    if missing:
        return f"no scores of arm {', '.join(missing)}"
    seeds = _shared_seeds(scores, *arms)
    if not seeds:
        return f"arms {arms[0]} and {arms[1]} have no seed in common"
    for task in endpoint.tasks:
        for k in shots_of(claim):
            for arm in arms:
                for seed in seeds:
                    if not scores[arm][seed].get(task, {}).get(k):
                        return f"arm {arm}, seed {seed}, has no scores of {task} at {k} shots"
        if len(_shared_items(scores, *arms, task, shots_of(claim))) < 2:
            return f"{task} has fewer than two items that both arms answered"
    return ""


def shots_of(claim: Claim) -> tuple[int, ...]:
    """The number of shots that a claim speaks of; two where it compares gains."""
    return (claim.k_low, claim.k_high) if isinstance(claim, InteractionClaim) else (claim.k,)


def _shared_seeds(scores: Scores, one: str, other: str) -> list[int]:
    return sorted(set(scores[one]) & set(scores[other]))


def _shared_items(
    scores: Scores, one: str, other: str, task: str, shots: tuple[int, ...]
) -> list[str]:
    """Items that both arms answered at every common seed and number of shots."""
    answered = (
        set(scores[arm][seed][task][k])
        for arm in (one, other)
        for seed in _shared_seeds(scores, one, other)
        for k in shots
    )
    return sorted(set.intersection(*answered))


def arms_of(claim: Claim) -> tuple[str, str]:
    """The two arms that a claim speaks of."""
    if isinstance(claim, EqualClaim):
        return claim.first, claim.second
    return claim.higher, claim.lower


def differences(
    claim: Claim, endpoint: Endpoint, scores: Scores
) -> tuple[list[Table], list[list[str]]]:
    """For each task of the endpoint the claim's difference by seed and item, on its scale.

    Returns:
        The tables, and for each the names of its items.
    """
    one, other = arms_of(claim)
    shots = shots_of(claim)
    seeds = _shared_seeds(scores, one, other)
    tables, names = [], []
    for task in endpoint.tasks:
        items = _shared_items(scores, one, other, task, shots)

        def gain(arm: str, seed: int, item: str, task: str = task) -> float:
            by_k = scores[arm][seed][task]
            start = by_k[shots[0]][item] if len(shots) > 1 else 0.0
            return by_k[shots[-1]][item] - start

        rows = [[gain(one, s, i) - gain(other, s, i) for i in items] for s in seeds]
        tables.append(endpoint.scale * np.array(rows, dtype=np.float64))
        names.append(items)
    return tables, names


def _test(claim: Claim, endpoint: Endpoint, scores: Scores, subjects: Mapping[str, str]) -> _Test:
    tables, items = differences(claim, endpoint, scores)
    units = [[subjects.get(item, f"item {item}") for item in some] for some in items]
    if any(len(set(some)) < 2 for some in units):
        units = items
    found = effect(tables, units)
    margin = claim.margin
    if isinstance(claim, EqualClaim):
        inside = max(found.p_above(-margin), found.p_below(margin))
        outside = min(found.p_above(margin), found.p_below(-margin))
        bound = margin if found.mean >= 0 else -margin
        return _Test(found, inside, outside, bound, True)
    assert isinstance(claim, OrderClaim | InteractionClaim)
    return _Test(found, found.p_above(margin), found.p_below(margin), margin, False)


def _decide(test: _Test, adjusted: float, failed_controls: list[str]) -> Verdict:
    found = test.found
    if failed_controls:
        return _undecided(test, "; ".join(failed_controls))
    if found.seeds < SEEDS_NEEDED:
        return _undecided(test, _too_few(test))
    if found.error == 0:
        return _undecided(
            test, "every item differs by the same amount at every seed: a floor or a ceiling"
        )
    p = "Holm-adjusted p " + ("< 0.001" if adjusted < 0.001 else f"= {adjusted:.3f}")
    if adjusted <= 1 - LEVEL:
        word: Word = "holds" if test.p_for < test.p_against else "contradicts"
        return replace(_undecided(test, p), verdict=word)
    return _undecided(test, f"{p}; {_projection(test)}")


def _too_few(test: _Test) -> str:
    seeds = test.found.seeds
    if seeds == 1:
        return f"needs {SEEDS_NEEDED} seeds, has 1; the interval is over items of this run only"
    return f"needs {SEEDS_NEEDED} seeds, has {seeds}; {_projection(test)}"


def _projection(test: _Test) -> str:
    more = seeds_to_decide(test.found, test.bound)
    if more is None:
        return "more seeds alone would not decide, if effect and spread stay as they are"
    return f"about {more} seeds would decide, if effect and spread stay as they are"


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
    needed = max(CONTROL_NEEDED, 0.5 * (1 + (chance or 0.0)))
    if figures[k] >= needed:
        return None
    return (
        f"the base LLM solves {control} in {100 * figures[k]:.0f} % at {k} shots, below the"
        f" {100 * needed:.0f} % that a claim on {task} needs"
    )
