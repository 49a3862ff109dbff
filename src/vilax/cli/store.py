"""``vilax store``: what the stage store holds, why two results differ, and making room."""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from vilax.artifacts import prune
from vilax.artifacts.store import Entry, Store
from vilax.artifacts.why_not import explain
from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import store_dir

SHORT = 12
WIDEST = 140

TEACHING = """\
The store holds every trained stage and every evaluation under its identity: a hash of all that
determines it (settings, seed, data, the stage before, component versions). A run that asks for an
identity that is there reuses it. Keys that only change how a run executes are not hashed.

An identity may be shortened to its first digits, as in `vilax store list`.

  vilax store list                                 what is there
  vilax store show 50e958                          what determined it; are its files intact?
  vilax store why-not 50e958 b34860                why these two are not one and the same
  vilax store prune --unreachable                  what no evaluation was made from (tells only)
  vilax store prune --unreachable --yes            ... and removes it
  vilax store prune --identity 50e958 --descendants --yes    it, and what was made from it
"""


def main(argv: Sequence[str]) -> int:
    """List, show, explain or prune.

    Returns:
        0, or 1 where ``show`` finds a file that is not what was published.

    Raises:
        ConfigError: an unknown verb or identity, or a request to prune that names nothing.
    """
    words = list(argv)
    if words and not words[0].startswith("-") and words[0] not in VERBS:
        raise unknown("store command", words[0], VERBS)
    options = parser().parse_args(words)
    return VERBS[options.verb](Store(store_dir()), options)


def parser() -> argparse.ArgumentParser:
    """Verbs and their options."""
    made = argparse.ArgumentParser(
        prog="vilax store",
        description="Look into the stage store.",
        epilog=TEACHING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="one line per result, oldest first")
    show = verbs.add_parser("show", help="all that determined a result, and its files, as JSON")
    show.add_argument("identity", help="identity, or its first digits")
    why = verbs.add_parser("why-not", help="in words, why two results are not the same")
    why.add_argument("a", help="identity, or its first digits")
    why.add_argument("b", help="identity, or its first digits")
    less = verbs.add_parser(
        "prune",
        help="remove results; without --yes it only says which",
        description="Remove results and leftovers of unfinished work. A result from which another"
        " one that stays was made always stays. Without --yes nothing is removed.",
    )
    for option, effect in (
        ("--identity", "remove this result (repeatable)"),
        ("--keep", "keep this one and its ancestors (repeatable)"),
    ):
        less.add_argument(option, action="append", default=[], metavar="ID", help=effect)
    less.add_argument(
        "--older-than",
        type=float,
        metavar="DAYS",
        help="remove older results, and unfinished work untouched for so long",
    )
    less.add_argument(
        "--unreachable",
        action="store_true",
        help="remove stages that are neither evaluated nor ancestors of an evaluated or kept one",
    )
    less.add_argument(
        "--descendants", action="store_true", help="with them, what was made from them"
    )
    less.add_argument("--yes", action="store_true", help="do remove")
    return made


def listing(store: Store) -> Table:
    """A table of all results, oldest first."""
    table = Table()
    for heading in ("identity", "kind", "name", "made from", "tokens", "seconds", "MB", "age"):
        is_number = heading in ("tokens", "seconds", "MB", "age")
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=True)
    for entry in store.entries():
        table.add_row(
            entry.identity[:SHORT],
            entry.kind,
            str(entry.meta.get("name")),
            (entry.parent or "-")[:SHORT],
            f"{entry.meta['tokens']:,}" if "tokens" in entry.meta else "-",
            f"{float(entry.meta['seconds']):.0f}",
            f"{entry.size / 1e6:.1f}",
            age(time.time() - float(entry.meta["created"])),
        )
    return table


def age(seconds: float) -> str:
    """A duration in its largest fitting unit."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _list(store: Store, options: argparse.Namespace) -> int:
    console = Console()
    if not console.is_terminal:
        # A pipe has no width: lines must not be cut to that of a terminal that is not there.
        console = Console(width=WIDEST)
    table = listing(store)
    if table.row_count:
        console.print(table)
    else:
        print(f"vilax: nothing is stored in {store.root} yet", file=sys.stderr)
    return 0


def _show(store: Store, options: argparse.Namespace) -> int:
    entry = store.resolve(options.identity)
    facts = {"identity": entry.identity, "folder": str(entry.folder), "meta": dict(entry.meta)}
    facts |= {"inputs": dict(entry.inputs), "files": dict(entry.files)}
    print(json.dumps(facts, indent=1, sort_keys=True))
    damaged = entry.damaged()
    for name in damaged:
        print(f"vilax: {name} is not what was published", file=sys.stderr)
    return 1 if damaged else 0


def _why_not(store: Store, options: argparse.Namespace) -> int:
    a, b = store.resolve(options.a), store.resolve(options.b)
    for line in explain(store, a, b) or ["they are one and the same result"]:
        print(line)
    return 0


def _prune(store: Store, options: argparse.Namespace) -> int:
    is_sweep = options.older_than is not None or options.unreachable
    if not options.identity and not is_sweep:
        raise ConfigError("store prune: give --identity ID, --older-than DAYS or --unreachable")
    if options.older_than is not None and not options.older_than >= 0:
        raise ConfigError(
            f"store prune: --older-than {options.older_than}: expected days, 0 or more"
        )
    plan = prune.plan(
        store,
        identities=[store.resolve(prefix).identity for prefix in options.identity],
        keep=[store.resolve(prefix).identity for prefix in options.keep],
        older_than=options.older_than,
        unreachable=options.unreachable,
        descendants=options.descendants,
    )
    if options.yes and is_sweep and plan.busy:
        raise ConfigError(
            f"store prune: {plan.busy[0]} is at work and may need what would be removed: wait for"
            " it, or name what to remove with --identity"
        )
    _tell(plan, options.yes)
    if options.yes:
        prune.carry_out(store, plan)
    elif plan.remove or plan.leftovers:
        print("vilax: nothing removed; add --yes to do so", file=sys.stderr)
        if is_sweep and plan.busy:
            print(f"vilax: not before the end of {plan.busy[0]}", file=sys.stderr)
    return 0


def _tell(plan: prune.Plan, is_real: bool) -> None:
    verb = "remove" if is_real else "would remove"
    for entry, reason in plan.spared:
        print(f"keep {entry.label}: {reason}")
    for entry in plan.remove:
        print(f"{verb} {entry.label} ({_megabytes(entry)})")
    for folder in plan.leftovers:
        print(f"{verb} leftover {folder.name}")
    if not plan.remove and not plan.leftovers:
        print("nothing to remove")


def _megabytes(entry: Entry) -> str:
    return f"{entry.size / 1e6:.1f} MB"


VERBS = {"list": _list, "show": _show, "why-not": _why_not, "prune": _prune}
