"""``vilax check``: prove that the arms of a comparison differ only in what it declares."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vilax.ablation.comparison import Resolved, resolve
from vilax.ablation.control import Budget, Proof, prove
from vilax.config.compose import comparison_names

PIPE_WIDTH = 200
"""Columns where the output is no terminal."""


def main(argv: Sequence[str]) -> int:
    """Print the proof of each comparison.

    Returns:
        0 where all are controlled, 2 where one is not.
    """
    parser = argparse.ArgumentParser(
        prog="vilax check",
        description="Prove that the arms of comparisons differ only in the keys they declare.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="comparisons, or their folders (default: all)"
    )
    parser.add_argument("--scale", default="micro", help="name of the scale (default: micro)")
    parser.add_argument("--config-dir", type=Path, help="your own configuration folder")
    options = parser.parse_args(argv)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    is_sound = True
    for name in options.names or comparison_names(options.config_dir, options.scale):
        resolved = resolve(name, (), options.scale, (), options.config_dir)
        proof = prove(resolved)
        console.print(table(resolved, proof))
        console.print(summary(proof), markup=False)
        for fault in proof.faults:
            print(f"vilax: {resolved.name} is not controlled: {fault}", file=sys.stderr)
        is_sound = is_sound and not proof.faults
    return 0 if is_sound else 2


def table(resolved: Resolved, proof: Proof) -> Table:
    """Keys that differ, and budgets, with a column per arm."""
    title = f"{resolved.name}: {resolved.comparison.title}"
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("key", *resolved.arms, ""):
        shown.add_column(heading, no_wrap=True)
    for difference in proof.differences:
        values = [json.dumps(value).strip('"') for value in difference.values.values()]
        shown.add_row(difference.key, *values, "" if difference.declared else "NOT DECLARED")
    for budget in proof.budgets:
        values = [_amount(budget, arm) for arm in resolved.arms]
        word = "equal" if budget.is_equal else "NOT EQUAL"
        shown.add_row(f"{budget.stage}: {budget.unit}", *values, word)
    return shown


def _amount(budget: Budget, arm: str) -> str:
    if arm not in budget.values:
        return "no such stage"
    value = budget.values[arm]
    return "none" if value is None else f"{value:,}"


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
