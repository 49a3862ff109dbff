"""``vilax check``: prove that the arms of a comparison differ only in what it declares."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vilax.ablation.comparison import Resolved, resolve_all
from vilax.ablation.control import Budget, Proof, prove
from vilax.ablation.elsewhere import planning_lookup
from vilax.ablation.seen import COUNTS, Seen, seen
from vilax.config.comparisons import comparison_names

PIPE_WIDTH = 200
"""Columns where the output is no terminal."""


def main(argv: Sequence[str]) -> int:
    """Print the proof of each comparison.

    Returns:
        0 where all are controlled, 2 where one is not.
    """
    parser = argparse.ArgumentParser(
        prog="vilax check",
        description="Prove that the arms of comparisons differ only in the keys they declare, and,"
        " where the store has them, that they saw as much as each other.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="comparisons, or their folders (default: all)"
    )
    parser.add_argument("--scale", default="micro", help="name of the scale (default: micro)")
    parser.add_argument("--config-dir", type=Path, help="your own configuration folder")
    options = parser.parse_intermixed_args(argv)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    is_sound = True
    lookup = planning_lookup()
    names = options.names or comparison_names(options.config_dir, options.scale)
    # Nothing is reused: what a run saw is known whatever source code it ran.
    extra = ("store.trust=versions",)
    for resolved in resolve_all(names, (), options.scale, extra, options.config_dir):
        proof, stored = prove(resolved), seen(resolved, lookup)
        console.print(table(resolved, proof, stored))
        console.print(summary(proof), markup=False)
        console.print(stored_summary(stored), markup=False)
        faults = (*proof.faults, *stored.faults)
        for fault in faults:
            print(f"vilax: {resolved.name} is not controlled: {fault}", file=sys.stderr)
        is_sound = is_sound and not faults
    return 0 if is_sound else 2


def table(resolved: Resolved, proof: Proof, stored: Seen) -> Table:
    """Keys that differ, budgets, and what was seen, with the arms that have each value."""
    title = f"{resolved.name}: {resolved.comparison.title}"
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("key", "value: arms", ""):
        shown.add_column(heading, overflow="fold")
    for difference in proof.differences:
        word = "" if difference.declared else "NOT DECLARED"
        values = {arm: json.dumps(value).strip('"') for arm, value in difference.values.items()}
        shown.add_row(difference.key, grouped(values), word)
    for budget in proof.budgets:
        amounts = {arm: _amount(budget, arm) for arm in resolved.arms}
        is_same = len(set(budget.values.values())) == 1
        word = ("equal" if is_same else "studied") if budget.is_equal else "NOT EQUAL"
        shown.add_row(f"{budget.stage}: {budget.unit}", grouped(amounts), word)
    for stage in dict.fromkeys(name for stages in stored.counts.values() for name in stages):
        for count in COUNTS:
            amounts = {
                arm: f"{stages[stage][count]:,.0f}"
                for arm, stages in stored.counts.items()
                if stage in stages
            }
            is_held = count == resolved.comparison.held_equal
            if is_held or len(set(amounts.values())) > 1:
                is_faulty = is_held and any(f.startswith(f"{stage} ") for f in stored.faults)
                word = "NOT EQUAL" if is_faulty else "held equal" if is_held else ""
                shown.add_row(f"{stage}: {count} seen", grouped(amounts), word)
    return shown


def grouped(values: Mapping[str, str]) -> str:
    """Values with the arms that have them, a line each; one value alone has no arms to name."""
    arms: dict[str, list[str]] = {}
    for arm, value in values.items():
        arms.setdefault(value, []).append(arm)
    if len(arms) == 1:
        return next(iter(arms))
    return "\n".join(f"{value}: {', '.join(names)}" for value, names in arms.items())


def _amount(budget: Budget, arm: str) -> str:
    if arm not in budget.values:
        return "no such stage"
    value = budget.values[arm]
    return "none" if value is None else f"{value:,}"


def stored_summary(stored: Seen) -> str:
    """What is known of runs, in a sentence."""
    if not stored.counts:
        return "no run is stored: what arms really saw is compared once they are"
    missing = f"; nothing is stored of {', '.join(stored.missing)}" if stored.missing else ""
    return f"what stored runs saw was compared{missing}"


def summary(proof: Proof) -> str:
    """The proof in a sentence."""
    held = f"{proof.held_equal} held equal"
    if not proof.budgets:
        held += " (measured in the run, for no budget is given in them)"
    verdict = "NOT controlled" if proof.faults else "controlled"
    return (
        f"{verdict}: {len(proof.differences)} keys differ, {proof.equal} keys are the same in all"
        f" arms, {held}"
    )
