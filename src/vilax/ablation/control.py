"""The proof of control: arms differ in the declared keys and in nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from vilax.ablation.comparison import Resolved
from vilax.artifacts.identity import science_dump
from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run

ABSENT = "-"
"""Shown for a key that an arm does not have, such as the depth of another kind of projector."""

TOLERANCE = 0.02
"""Largest relative difference between measured counts that still counts as held equal: a stage
ends at the first whole step that reaches its budget."""


@dataclass(frozen=True)
class Difference:
    """A key whose value is not the same in all arms.

    Attributes:
        key: dotted key.
        values: arm to value, as JSON; ``-`` where the arm has no such key.
        declared: the declared key that covers it; empty: the arms may not differ in it.
    """

    key: str
    values: Mapping[str, Any]
    declared: str


@dataclass(frozen=True)
class Budget:
    """The held-equal quantity of one stage.

    Attributes:
        stage: name of the stage.
        values: arm to the budget in the held-equal unit; None where the arm has no such budget.
        is_equal: whether all arms have the same.
    """

    stage: str
    values: Mapping[str, int | None]
    is_equal: bool


@dataclass(frozen=True)
class Proof:
    """What a comparison's configurations show.

    Attributes:
        differences: keys that differ, in order.
        unused: declared keys in which no two arms differ.
        equal: number of keys that are the same in all arms.
        held_equal: the quantity held equal.
        budgets: that quantity per stage; empty where only a run can measure it.
    """

    differences: tuple[Difference, ...]
    unused: tuple[str, ...]
    equal: int
    held_equal: str
    budgets: tuple[Budget, ...]

    @property
    def faults(self) -> list[str]:
        """Why the arms are no controlled comparison; empty: they are one."""
        found = [
            f"{difference.key} differs ({_in_words(difference.values)}) and is not declared in"
            " varies"
            for difference in self.differences
            if not difference.declared
        ]
        found += [
            f"{budget.stage} is to hold {self.held_equal} equal, and its budget in"
            f" {self.held_equal} differs or is missing ({_in_words(budget.values)})"
            for budget in self.budgets
            if not budget.is_equal
        ]
        found += [
            f"{key} is declared in varies, and no two arms differ in it" for key in self.unused
        ]
        return found


def prove(resolved: Resolved) -> Proof:
    """Compare the arms' resolved configurations key by key; execution keys do not count."""
    comparison = resolved.comparison
    flat = {arm: dict(flatten(science_dump(run))) for arm, run in resolved.arms.items()}
    keys = list(dict.fromkeys(key for values in flat.values() for key in values))
    differences = []
    for key in keys:
        values = {arm: values.get(key, ABSENT) for arm, values in flat.items()}
        first = next(iter(values.values()))
        if any(value != first for value in values.values()):
            differences.append(Difference(key, values, declared(key, comparison.varies)))
    used = {difference.declared for difference in differences}
    return Proof(
        differences=tuple(differences),
        unused=tuple(key for key in comparison.varies if key not in used),
        equal=len(keys) - len(differences),
        held_equal=comparison.held_equal,
        budgets=tuple(_budgets(resolved.arms, comparison.held_equal)),
    )


def require(resolved: Resolved) -> Proof:
    """The proof of a controlled comparison.

    Raises:
        ConfigError: the arms differ in a key that is not declared, in the quantity held equal, or
            not at all in a declared key.
    """
    proof = prove(resolved)
    if proof.faults:
        listed = "\n  ".join(proof.faults)
        raise ConfigError(f"comparison {resolved.name} is not controlled:\n  {listed}")
    return proof


def declared(key: str, varies: Sequence[str]) -> str:
    """The declared key that a key is or lies under; ``*`` stands for one name."""
    names = key.split(".")
    for pattern in varies:
        wanted = pattern.split(".")
        if len(wanted) <= len(names) and all(
            fnmatchcase(name, want) for name, want in zip(names, wanted, strict=False)
        ):
            return pattern
    return ""


def flatten(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and plain values of nested mappings; lists are values."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from flatten(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value


def _budgets(arms: Mapping[str, Run], quantity: str) -> Iterator[Budget]:
    if quantity not in ("tokens", "documents"):
        return
    stages = dict.fromkeys(name for run in arms.values() for name in run.order)
    for stage in stages:
        values = {
            arm: getattr(run.stages[stage].budget, quantity) if stage in run.order else None
            for arm, run in arms.items()
        }
        first = next(iter(values.values()))
        yield Budget(stage, values, first is not None and set(values.values()) == {first})


def measured_faults(
    quantity: str, counts: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> list[str]:
    """Stages whose measured quantity was not the same in all arms.

    Args:
        quantity: what the comparison holds equal.
        counts: arm to stage to name of a count to its value.

    Returns:
        One sentence per stage in which arms differ by more than 2 %.
    """
    found = []
    for stage in dict.fromkeys(stage for stages in counts.values() for stage in stages):
        seen = {arm: stages[stage][quantity] for arm, stages in counts.items() if stage in stages}
        low, high = min(seen.values()), max(seen.values())
        if len(seen) > 1 and high - low > TOLERANCE * high:
            found.append(f"{stage} was to hold {quantity} equal and saw {_in_words(seen)}")
    return found


def _in_words(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{arm}: {'none' if value is None else value}" for arm, value in values.items()
    )
