"""Claims: from scores per item, or measures per seed, to holds, contradicts or undecided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from vilax.ablation.contrast import Contrast, contrast
from vilax.ablation.power import items_to_decide, power, resized, seeds_to_decide
from vilax.ablation.scalars import scalar
from vilax.ablation.statistics import Effect, Table, effect, effect_of_seeds, holm
from vilax.config.schema.comparison import Claim, Endpoint

Scores = Mapping[str, Mapping[int, Mapping[str, Mapping[int, Mapping[str, float]]]]]
"""Arm, seed, task, shots, item to the item's score in its natural unit."""
Measures = Mapping[tuple[str, int], Mapping[str, Any]]
"""Arm and seed to what was measured on it."""

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
        effect: the measured contrast on the endpoint's scale; None where there is none.
        interval: its 95 % interval, unadjusted; None where there is none.
        seeds: number of seeds in it.
        items: number of items in it; 0 for a measure.
        p: p value of the claim or of its opposite, whichever is nearer, unadjusted; None where
            untested.
        p_adjusted: after Holm's correction over the comparison's claims.
        power: chance to show an effect as large as the paper's with these seeds, and with five
            where there are fewer, given the measured spread; None where the claim states no such
            effect or one seed does not show the spread.
    """

    verdict: Word
    reason: str
    effect: float | None = None
    interval: tuple[float, float] | None = None
    seeds: int = 0
    items: int = 0
    p: float | None = None
    p_adjusted: float | None = None
    power: float | None = None


@dataclass(frozen=True)
class _Test:
    """A claim's effect with one-sided p values for it and for its opposite.

    An ordering may be decided either way, so both sides count. Equality is shown by two one-sided
    tests at the full level (Schuirmann 1987), refuted by an effect outside the margin, either side.
    """

    found: Effect
    contrast: Contrast
    paper_effect: float | None
    alpha: float
    """Level that decides whatever the comparison's other claims come to."""

    @property
    def p_for(self) -> float:
        """p value of the claim, one side at a time."""
        margin = self.contrast.margin
        if not self.contrast.is_equality:
            return self.found.p_above(margin)
        return max(self.found.p_above(-margin), self.found.p_below(margin))

    @property
    def p_against(self) -> float:
        """p value of its opposite, one side at a time."""
        margin = self.contrast.margin
        if not self.contrast.is_equality:
            return self.found.p_below(margin)
        return min(self.found.p_above(margin), self.found.p_below(-margin))

    @property
    def p(self) -> float:
        """p value of whichever of the two verdicts is nearer."""
        p_for = self.p_for if self.contrast.is_equality else 2 * self.p_for
        return min(1.0, p_for, 2 * self.p_against)

    @property
    def bound(self) -> float:
        """The end of the margin that is nearer to the effect."""
        margin = self.contrast.margin
        return -margin if self.contrast.is_equality and self.found.mean < 0 else margin

    @property
    def alpha_one_sided(self) -> float:
        """Level of the one-sided test of the nearer verdict."""
        is_inside = self.contrast.is_equality and abs(self.found.mean) < self.contrast.margin
        return self.alpha if is_inside else self.alpha / 2


def judge(
    claims: Mapping[str, Claim],
    endpoints: Mapping[str, Endpoint],
    scores: Scores,
    failed_controls: Mapping[str, str],
    subjects: Mapping[str, str] | None = None,
    measures: Measures | None = None,
) -> dict[str, Verdict]:
    """The verdict of every claim of a comparison.

    Args:
        claims: by name.
        endpoints: by the name that claims use.
        scores: of every arm that was evaluated.
        failed_controls: task to the reason why it may not carry a claim.
        subjects: item to what it asks about; items about one thing are no independent draws. An
            item that is not named stands alone.
        measures: of every arm and seed on which something was measured.
    """
    verdicts: dict[str, Verdict] = {}
    tests: dict[str, _Test] = {}
    alpha = (1 - LEVEL) / max(1, len(claims))
    for name, claim in claims.items():
        endpoint, wanted = endpoints[claim.endpoint], contrast(claim)
        if endpoint.measure:
            values = measured(wanted, endpoint, measures or {})
            lack = _lacking_measure(wanted, endpoint, measures or {}, values)
            found = (
                None if lack or len(values) < 2 else effect_of_seeds(np.array([*values.values()]))
            )
        else:
            lack = _lacking(wanted, endpoint, scores)
            found = None if lack else score_effect(wanted, endpoint, scores, subjects or {})
        if found is not None:
            tests[name] = _Test(found, wanted, claim.paper_effect, alpha)
        elif lack:
            verdicts[name] = Verdict("undecided", lack)
        else:
            reason = f"needs {SEEDS_NEEDED} seeds, has 1; one number has no interval"
            verdicts[name] = Verdict("undecided", reason, next(iter(values.values())), seeds=1)
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


def _lacking(wanted: Contrast, endpoint: Endpoint, scores: Scores) -> str:
    """What a contrast's test lacks, in words; empty: nothing."""
    missing = [arm for arm in wanted.arms if not scores.get(arm)]
    if missing:
        return f"no scores of arm {', '.join(missing)}"
    seeds = shared_seeds(wanted.arms, scores)
    if not seeds:
        return f"arms {' and '.join(wanted.arms)} have no seed in common"
    for task in endpoint.tasks:
        for term in wanted.terms:
            for seed in seeds:
                if not scores[term.arm][seed].get(task, {}).get(term.k):
                    return f"arm {term.arm}, seed {seed}, has no scores of {task} at {term.k} shots"
        if len(shared_items(wanted, scores, task, seeds)) < 2:
            return f"{task} has fewer than two items that were answered every time"
    return ""


def _lacking_measure(
    wanted: Contrast, endpoint: Endpoint, measures: Measures, values: Mapping[int, float]
) -> str:
    """What a contrast of measures lacks, in words; empty: nothing."""
    if values:
        return ""
    have = {
        arm for (arm, _), found in measures.items() if scalar(found, endpoint.measure) is not None
    }
    missing = [arm for arm in wanted.arms if arm not in have]
    if missing:
        return f"{endpoint.measure} was not measured on arm {', '.join(missing)}"
    return f"arms {' and '.join(wanted.arms)} have no seed in common"


def measured(wanted: Contrast, endpoint: Endpoint, measures: Measures) -> dict[int, float]:
    """Seed to the contrast of a measure, on the endpoint's scale, where every arm has it."""
    found: dict[int, float] = {}
    for seed in sorted({seed for _, seed in measures}):
        values = {
            arm: scalar(measures.get((arm, seed), {}), endpoint.measure) for arm in wanted.arms
        }
        numbers = {arm: value for arm, value in values.items() if value is not None}
        if len(numbers) == len(values):
            summed = sum(term.weight * numbers[term.arm] for term in wanted.terms)
            found[seed] = endpoint.scale * summed
    return found


def shared_seeds(arms: Sequence[str], scores: Scores) -> list[int]:
    """Seeds at which all arms were evaluated, in order."""
    return sorted(set.intersection(*(set(scores[arm]) for arm in arms)))


def shared_items(wanted: Contrast, scores: Scores, task: str, seeds: Sequence[int]) -> list[str]:
    """Items that were answered in every term at every common seed."""
    answered = (
        set(scores[term.arm][seed][task][term.k]) for term in wanted.terms for seed in seeds
    )
    return sorted(set.intersection(*answered))


def differences(
    wanted: Contrast, endpoint: Endpoint, scores: Scores
) -> tuple[list[Table], list[list[str]]]:
    """For each task of the endpoint the contrast by seed and item, on the endpoint's scale.

    Returns:
        The tables, and for each the names of its items.
    """
    seeds = shared_seeds(wanted.arms, scores)
    tables, names = [], []
    for task in endpoint.tasks:
        items = shared_items(wanted, scores, task, seeds)
        table = np.zeros((len(seeds), len(items)))
        for term in wanted.terms:
            rows = [scores[term.arm][seed][task][term.k] for seed in seeds]
            table += term.weight * np.array([[row[item] for item in items] for row in rows])
        tables.append(endpoint.scale_of(task) * table)
        names.append(items)
    return tables, names


def score_effect(
    wanted: Contrast, endpoint: Endpoint, scores: Scores, subjects: Mapping[str, str]
) -> Effect:
    """A contrast of scores with its error; items about one subject depend on each other."""
    tables, items = differences(wanted, endpoint, scores)
    units = [[subjects.get(item, f"item {item}") for item in some] for some in items]
    if any(len(set(some)) < 2 for some in units):
        units = items
    return effect(tables, units)


def _decide(test: _Test, adjusted: float, failed_controls: list[str]) -> Verdict:
    found = test.found
    if failed_controls:
        return _undecided(test, "; ".join(failed_controls))
    if found.error == 0:
        what = "every item differs by the same amount at every seed: a floor or a ceiling"
        return _undecided(test, what if found.items else "every seed differs by the same amount")
    if found.seeds < SEEDS_NEEDED:
        return _undecided(test, _too_few(test))
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
    found, bound, alpha = test.found, test.bound, test.alpha_one_sided
    seeds = seeds_to_decide(found, bound, alpha, SEEDS_NEEDED)
    items = items_to_decide(found, bound, alpha, SEEDS_NEEDED)
    if seeds is None and items is None:
        return "more seeds or items would not decide, if effect and spread stay as they are"
    ways = [f"{seeds} seeds"] if seeds is not None else []
    if items is not None:
        ways.append(f"{items} items with {max(SEEDS_NEEDED, found.seeds)} seeds")
    return f"about {' or '.join(ways)} would decide, if effect and spread stay as they are"


def _power(test: _Test) -> float | None:
    """Chance to show an effect as large as the paper's, given the measured spread."""
    if test.paper_effect is None or test.found.seeds < 2:
        return None
    parts = resized(test.found.parts, max(SEEDS_NEEDED, test.found.seeds))
    return power(parts, test.paper_effect - test.contrast.margin, test.alpha / 2)


def _undecided(test: _Test, reason: str) -> Verdict:
    found = test.found
    return Verdict(
        "undecided",
        reason,
        found.mean,
        found.interval(LEVEL),
        found.seeds,
        found.items,
        power=_power(test),
    )


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
