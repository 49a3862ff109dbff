"""The proof of control: arms differ in the declared keys and in nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from vilax.ablation.comparison import Resolved
from vilax.artifacts.identity import science_dump
from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.training.sources import corpus_config

EVALUATED = "stage"
"""Key under which arms differ whose evaluated stages do."""

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
    """What one stage may use, in the arms that have it.

    Attributes:
        stage: name of the stage.
        unit: what is counted; the held-equal quantity where the arms' data differ.
        values: arm to the budget in that unit; None where the arm's budget is in another.
        is_equal: whether all arms have the same, or the budget is what is studied.
    """

    stage: str
    unit: str
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
            f" {budget.unit} differs or is missing ({_in_words(budget.values)})"
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
    ends = {one.arm: one.stage for one in resolved.runs}
    for key in (*keys, EVALUATED):
        values = (
            ends
            if key == EVALUATED
            else {arm: values.get(key, ABSENT) for arm, values in flat.items()}
        )
        first = next(iter(values.values()))
        if any(value != first for value in values.values()):
            differences.append(Difference(key, values, declared(key, comparison.varies)))
    used = {difference.declared for difference in differences}
    return Proof(
        differences=tuple(differences),
        unused=tuple(key for key in comparison.varies if key not in used),
        equal=len(keys) - len(differences),
        held_equal=comparison.held_equal,
        budgets=tuple(_budgets(resolved)),
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


def _budgets(resolved: Resolved) -> Iterator[Budget]:
    """Budgets of each stage, in the arms that train it.

    The same budget on the same data may be in any unit; what else decides how much it comes to,
    such as the tokens of a picture, shows in what the run measures. On other data it must be given
    in the quantity that is held equal.
    """
    quantity, varies = resolved.comparison.held_equal, resolved.comparison.varies
    runs = {one.arm: one.run for one in resolved.runs if one.seed == resolved.seeds[0]}
    ends = {one.arm: one.stage for one in resolved.runs}
    trained = {arm: run.order[: run.order.index(ends[arm]) + 1] for arm, run in runs.items()}
    for name in dict.fromkeys(stage for stages in trained.values() for stage in stages):
        stages = {arm: run.stages[name] for arm, run in runs.items() if name in trained[arm]}
        data = [_read(runs[arm], stage) for arm, stage in stages.items()]
        is_studied = bool(declared(f"stages.{name}.budget", varies))
        kinds = {stage.budget.kind for stage in stages.values()}
        if all(one == data[0] for one in data) and len(kinds) == 1:
            unit = kinds.pop()
        elif quantity == "supervised":
            # No budget is given in it: the run measures it.
            continue
        else:
            unit = quantity
        values = {arm: getattr(stage.budget, unit) for arm, stage in stages.items()}
        first = next(iter(values.values()))
        is_equal = first is not None and set(values.values()) == {first}
        yield Budget(name, unit, values, is_equal or is_studied)


def _read(run: Run, stage: Stage) -> Any:
    """The data of a stage: its blend, and its corpora."""
    corpora = {name: science_dump(corpus_config(run, name)) for name in stage.blend.corpora}
    return science_dump(stage.blend), corpora


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
