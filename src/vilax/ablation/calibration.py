"""The null comparison: arms equal but for the seed, whose intervals should hold 0 as stated.

Whatever two such arms differ by is chance. Each task at each number of shots has an interval of the
difference, made as for a claim: of 95 % intervals 5 in 100 exclude 0, and clearly more would say
that verdicts come too easily.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from scipy import stats

from vilax.ablation.claims import LEVEL, Scores, score_effect, shared_items, shared_seeds
from vilax.ablation.contrast import Contrast, Term
from vilax.config.schema.comparison import Comparison, Endpoint


@dataclass(frozen=True)
class CellInterval:
    """The difference of the two arms in one task at one number of shots, in percent.

    Attributes:
        task: name of the task.
        k: number of shots.
        effect: the first arm less the second.
        interval: at 95 %.
    """

    task: str
    k: int
    effect: float
    interval: tuple[float, float]

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval denies that the arms are equal."""
        low, high = self.interval
        return low > 0 or high < 0


@dataclass(frozen=True)
class Calibration:
    """All intervals between two arms that are equal but for the seed.

    Attributes:
        arms: names of the two.
        seeds: number of seeds.
        cells: one for each task and number of shots that both answered.
    """

    arms: tuple[str, str]
    seeds: int
    cells: tuple[CellInterval, ...]

    @property
    def excluded(self) -> int:
        """Number of intervals that exclude 0."""
        return sum(cell.excludes_zero for cell in self.cells)

    @property
    def share(self) -> float:
        """Share of intervals that exclude 0."""
        return self.excluded / len(self.cells) if self.cells else 0.0

    @property
    def allowed(self) -> int:
        """Most intervals that exclude 0 in 95 of 100 repetitions, were cells independent."""
        return int(stats.binom.ppf(LEVEL, len(self.cells), 1 - LEVEL))

    @property
    def line(self) -> str:
        """The finding in a sentence."""
        first, second = self.arms
        said = (
            f"{first} and {second} are equal but for the seed: {self.excluded} of"
            f" {len(self.cells)} intervals of their difference exclude 0"
        )
        if self.seeds < 2:
            return f"{said}; with 1 seed they are over items alone and do not cover other seeds"
        return (
            f"{said} ({100 * self.share:.0f} %; {100 * (1 - LEVEL):.0f} % are to be expected, up to"
            f" {self.allowed} in 95 of 100 repetitions if they were independent; they share runs,"
            " so more come together by chance)"
        )


def null_pairs(comparison: Comparison) -> list[tuple[str, str]]:
    """Pairs of arms that differ in nothing but the seed's offset."""
    return [
        (first, second)
        for (first, one), (second, other) in combinations(comparison.arms.items(), 2)
        if one.seed_offset != other.seed_offset
        and one.overrides == other.overrides
        and (one.stage or comparison.stage) == (other.stage or comparison.stage)
    ]


def calibrate(
    first: str, second: str, scores: Scores, subjects: Mapping[str, str] | None = None
) -> Calibration:
    """The interval of every task and number of shots between two arms.

    Args:
        first: an arm.
        second: an arm equal to it but for the seed.
        scores: of both.
        subjects: item to what it asks about.

    Returns:
        No cells where the arms have no seed, task or items in common. Cells in which nothing
        differs at all, at a floor or a ceiling, are left out: they would hide the others.
    """
    arms = first, second
    if not all(scores.get(arm) for arm in arms):
        return Calibration(arms, 0, ())
    seeds = shared_seeds(arms, scores)
    cells = []
    for task, k in _asked(arms, scores, seeds):
        wanted = Contrast((Term(1.0, first, k), Term(-1.0, second, k)), 0.0)
        if len(shared_items(wanted, scores, task, seeds)) < 2:
            continue
        found = score_effect(wanted, Endpoint(title=task, tasks=(task,)), scores, subjects or {})
        if found.error > 0:
            cells.append(CellInterval(task, k, found.mean, found.interval(LEVEL)))
    return Calibration(arms, len(seeds), tuple(cells))


def _asked(arms: tuple[str, str], scores: Scores, seeds: list[int]) -> list[tuple[str, int]]:
    """Tasks and numbers of shots that both arms answered at every common seed."""
    every = [
        {
            (task, k)
            for task, by_k in scores[arm][seed].items()
            for k, items in by_k.items()
            if items
        }
        for arm in arms
        for seed in seeds
    ]
    return sorted(set.intersection(*every)) if every else []
