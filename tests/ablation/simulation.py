"""Worlds with a known truth, for the honesty of claims; as a module it prints their table.

``python -m tests.ablation.simulation`` (a minute or two on one core)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from vilax.ablation.contrast import Contrast, contrast
from vilax.ablation.statistics import Moments, moments, p_above
from vilax.config.schema.comparison import (
    Claim,
    EqualClaim,
    GainClaim,
    InteractionClaim,
    OrderClaim,
)

TEXT = {"text": "It is so.", "paper": "", "endpoint": "score"}
KINDS: dict[str, Claim] = {
    "order": OrderClaim(**TEXT, higher="a", lower="b"),
    "gain": GainClaim(**TEXT, arm="a"),
    "interaction of gains": InteractionClaim(**TEXT, higher="a", lower="b"),
    "interaction of four": InteractionClaim(**TEXT, higher=("a", "b"), lower=("c", "d")),
}
EQUAL = EqualClaim(**TEXT, first="a", second="b", margin=5.0)
LATENT = float(np.sqrt(1 + 0.5**2 + 0.5**2 + 0.25**2 + 0.4**2 + 1))
"""Spread of an answer's latent value where seeds add nothing."""


@dataclass(frozen=True)
class World:
    """How scores come about.

    A latent value is the sum of what the item is (shared by all arms), what it is to the arm, to
    the arm at these shots, to the seed, of the seed's luck and of chance; a score is the value
    itself, or whether it exceeds a threshold.

    Attributes:
        seeds: number of seeds.
        items: number of items.
        per: items that ask about one thing and share what they are.
        luck: standard deviation of a seed's luck, where 1 is that of what items are.
        level: mean score of right or wrong answers; None: scores are the latent values.
        tails: degrees of freedom of the luck's t distribution; None: normal.
    """

    seeds: int = 5
    items: int = 100
    per: int = 1
    luck: float = 0.0
    level: float | None = None
    tails: int | None = None

    @property
    def units(self) -> list[str]:
        """What each item asks about."""
        return [str(i // self.per) for i in range(self.items)]

    def __str__(self) -> str:
        about = f", {self.per} about one thing" if self.per > 1 else ""
        score = "continuous" if self.level is None else f"right in {100 * self.level:g} %"
        tails = f" (t{self.tails})" if self.tails else ""
        return f"{self.seeds} seeds, {self.items} items{about}, luck {self.luck:g}{tails}, {score}"


WORLDS = [
    World(),
    World(luck=0.1, items=300),
    World(luck=0.3),
    World(luck=0.5, seeds=8),
    World(luck=3.0),
    World(luck=0.3, level=0.5),
    World(luck=0.3, level=0.97, items=200),
    World(luck=0.0, level=0.97, seeds=8),
    World(luck=1.0, level=0.9, tails=3),
    World(luck=0.3, tails=3, seeds=8, items=300),
    World(luck=0.1, per=4, items=120),
    World(luck=0.3, per=10, items=300, level=0.5, tails=3),
]


def draw(
    world: World,
    wanted: Contrast,
    rounds: int,
    rng: np.random.Generator,
    levels: Mapping[tuple[str, int], float] | None = None,
) -> np.ndarray:
    """A contrast's tables [rounds, seeds, items]; levels: arm and shots to mean score or value."""

    def of_units(spread: float, seeds: int = 1) -> np.ndarray:
        drawn = rng.normal(0, spread, (rounds, seeds, -(-world.items // world.per)))
        return np.repeat(drawn, world.per, axis=-1)[..., : world.items]

    def luck(share: float) -> np.ndarray:
        shape = (rounds, world.seeds, 1)
        if world.tails is None:
            return rng.normal(0, share * world.luck, shape)
        return share * world.luck * rng.standard_t(world.tails, shape) / np.sqrt(3)

    of_items = of_units(1.0) + rng.normal(0, 0.5, (rounds, 1, world.items))
    of_arms = {arm: of_units(0.5) + luck(0.8) for arm in wanted.arms}
    total: np.ndarray = np.zeros((rounds, world.seeds, world.items))
    for term in wanted.terms:
        level = (levels or {}).get((term.arm, term.k), world.level or 0.0)
        value = of_items + of_arms[term.arm] + of_units(0.25) + luck(0.6)
        value = value + of_units(0.4, world.seeds) + rng.normal(0, 1, total.shape)
        if world.level is None:
            total += term.weight * (level + value)
        else:
            spread = np.hypot(LATENT, world.luck)
            total += term.weight * (value > -spread * stats.norm.ppf(level))
    return total


def simulate(
    world: World,
    claim: Claim,
    rounds: int,
    levels: Mapping[tuple[str, int], float] | None = None,
    seed: int = 0,
) -> Moments:
    """The effects that many repetitions of a comparison find."""
    rng = np.random.default_rng(seed)
    return moments([draw(world, contrast(claim), rounds, rng, levels)], [world.units])


def coverage(found: Moments, truth: float = 0.0) -> float:
    """Share of 95 % intervals that hold the truth; one in which nothing varies decides nothing."""
    reach = found.error * stats.t.ppf(0.975, found.freedom)
    return float(((np.abs(found.mean - truth) <= reach) | (found.error == 0)).mean())


def decided(found: Moments, bound: float, alpha: float) -> tuple[float, float]:
    """Shares of repetitions in which a one-sided test puts the effect above, and below, a bound."""
    above = p_above(found.mean, found.error, found.freedom, bound)
    below = p_above(-found.mean, found.error, found.freedom, -bound)
    real = found.error > 0
    return float((real & (above < alpha)).mean()), float((real & (below < alpha)).mean())


def main() -> None:
    """Print coverage for every kind and world, and power for effects of the paper's size."""
    rounds = 10_000
    table = Table("world", *KINDS, title=f"coverage of 95 % intervals, {rounds:,} repetitions")
    for world in track(WORLDS, "coverage"):
        cells = [f"{coverage(simulate(world, claim, rounds)):.3f}" for claim in KINDS.values()]
        table.add_row(str(world), *cells)
    effects = (53.4, 11.2, 2.1, 0.3)
    headings = [f"{effect:g} points" for effect in effects]
    powers = Table("world", *headings, title="power at 5 seeds, four claims in the comparison")
    for luck in (0.0, 0.05, 0.1, 0.3):
        world = World(luck=luck, items=300, level=0.45)
        cells = []
        for effect in effects:
            half = effect / 200
            levels = {("a", 0): 0.45 + half, ("b", 0): 0.45 - half}
            found = simulate(world, KINDS["order"], 2000, levels)
            cells.append(f"{decided(found, 0.0, 0.05 / 4 / 2)[0]:.2f}")
        powers.add_row(str(world), *cells)
    console = Console(width=140)
    console.print(table)
    console.print(powers)


if __name__ == "__main__":
    main()
