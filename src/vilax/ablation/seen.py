"""What stored runs of arms really saw, held against what their comparison holds equal."""

from collections.abc import Mapping
from dataclasses import dataclass

from vilax.ablation.comparison import Resolved
from vilax.ablation.control import declared, measured_faults
from vilax.ablation.graph import Lookup
from vilax.artifacts.store import Entry
from vilax.config.schema.comparison import Comparison

COUNTS = ("tokens", "images", "documents", "supervised")
"""What a stage counts of what it sees."""

ByStage = Mapping[str, Mapping[str, float]]
"""Stage to name of a count to its value."""


@dataclass(frozen=True)
class Seen:
    """Counts of stored stages.

    Attributes:
        counts: arm to its stages, of the arm's first seed that has any.
        missing: arms of which nothing is stored.
        faults: one sentence per stage in which arms did not see as much as each other.
    """

    counts: Mapping[str, ByStage]
    missing: tuple[str, ...]
    faults: tuple[str, ...]


def counts_of(entry: Entry) -> dict[str, float]:
    """What a stored stage saw."""
    return {count: float(entry.meta.get(count, 0)) for count in COUNTS}


def seen(resolved: Resolved, lookup: Lookup) -> Seen:
    """Look up what the arms of a comparison saw, as far as the store has them."""
    counts: dict[str, dict[str, dict[str, float]]] = {}
    for one in resolved.runs:
        if one.arm in counts:
            continue
        order = one.run.order
        for stage in order[: order.index(one.stage) + 1]:
            entry = lookup.find_stage(one.run, stage)
            if entry is not None:
                counts.setdefault(one.arm, {})[stage] = counts_of(entry)
    missing = tuple(arm for arm in resolved.arms if arm not in counts)
    return Seen(counts, missing, tuple(unequal(resolved.comparison, counts)))


def unequal(comparison: Comparison, counts: Mapping[str, ByStage]) -> list[str]:
    """Stages in which arms did not see as much of what is held equal.

    Args:
        comparison: a budget that it studies is meant to differ, and is left out.
        counts: arm to what its stages saw at one seed: seeds draw other documents.
    """
    kept = {
        arm: {
            stage: values
            for stage, values in stages.items()
            if not declared(f"stages.{stage}.budget", comparison.varies)
        }
        for arm, stages in counts.items()
    }
    return measured_faults(comparison.held_equal, kept)
