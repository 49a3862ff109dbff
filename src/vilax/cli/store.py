"""``vilax store``: what the stage store holds, why two results differ, and making room."""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from vilax.artifacts.store import Entry, Store, explain
from vilax.config.errors import ConfigError
from vilax.config.locate import store_dir

SHORT = 12


def main(argv: Sequence[str]) -> int:
    """List, show, explain or prune."""
    parser = argparse.ArgumentParser(prog="vilax store", description="Look into the stage store.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="one line per result")
    show = verbs.add_parser("show", help="all that determined a result, and its files")
    show.add_argument("identity", help="identity, or its first digits")
    why = verbs.add_parser("why-not", help="in words, why two results are not the same")
    why.add_argument("a", help="identity, or its first digits")
    why.add_argument("b", help="identity, or its first digits")
    prune = verbs.add_parser(
        "prune", help="remove results; says what it would remove without --yes"
    )
    prune.add_argument("--identity", action="append", default=[], help="this result (repeatable)")
    prune.add_argument("--older-than", type=float, metavar="DAYS", help="results older than this")
    prune.add_argument("--yes", action="store_true", help="remove them")
    options = parser.parse_args(argv)
    store = Store(store_dir())
    if options.verb == "list":
        Console().print(listing(store))
        return 0
    if options.verb == "show":
        entry = store.resolve(options.identity)
        facts = {"identity": entry.identity, "folder": str(entry.folder), "meta": dict(entry.meta)}
        facts |= {"inputs": dict(entry.inputs), "files": dict(entry.files)}
        print(json.dumps(facts, indent=1, sort_keys=True))
        damaged = entry.damaged()
        for name in damaged:
            print(f"vilax: {name} is not what was published", file=sys.stderr)
        return 1 if damaged else 0
    if options.verb == "why-not":
        a, b = store.resolve(options.a), store.resolve(options.b)
        for line in explain(store, a, b) or ["they are the same"]:
            print(line)
        return 0
    return remove(store, options.identity, options.older_than, options.yes)


def listing(store: Store) -> Table:
    """A table of all results, oldest first."""
    table = Table()
    for heading in ("identity", "kind", "name", "made from", "tokens", "seconds", "MB", "age"):
        right = heading in ("tokens", "seconds", "MB", "age")
        table.add_column(heading, justify="right" if right else "left")
    for entry in store.entries():
        parent = str(entry.inputs.get("parent") or entry.inputs.get("stage_identity") or "-")
        hours = (time.time() - float(entry.meta["created"])) / 3600
        tokens = f"{entry.meta['tokens']:,}" if "tokens" in entry.meta else "-"
        table.add_row(
            entry.identity[:SHORT],
            entry.kind,
            str(entry.meta.get("name")),
            parent[:SHORT],
            tokens,
            f"{float(entry.meta['seconds']):.0f}",
            f"{entry.size / 1e6:.1f}",
            f"{hours:.1f} h",
        )
    return table


def remove(store: Store, identities: list[str], days: float | None, really: bool) -> int:
    """Remove results, but none from which another one that stays was made.

    Raises:
        ConfigError: neither identities nor an age are given.
    """
    if not identities and days is None:
        raise ConfigError("store prune: give --identity ID or --older-than DAYS")
    every = store.entries()
    chosen = {store.resolve(prefix).identity for prefix in identities}
    if days is not None:
        limit = time.time() - days * 86400
        chosen |= {e.identity for e in every if float(e.meta["created"]) < limit}
    needed = ancestors(store, [e for e in every if e.identity not in chosen])
    for entry in every:
        if entry.identity not in chosen:
            continue
        label = f"{entry.kind} {entry.meta.get('name')} {entry.identity[:SHORT]}"
        if entry.identity in needed and entry.identity not in identities and days is not None:
            print(f"kept {label}: a result that stays was made from it")
            continue
        print(f"{'removed' if really else 'would remove'} {label}")
        if really:
            store.remove(entry)
    if not really:
        print("nothing removed: add --yes", file=sys.stderr)
    return 0


def ancestors(store: Store, entries: Sequence[Entry]) -> set[str]:
    """Identities from which any of these results was made, at any distance."""
    found: set[str] = set()
    for entry in entries:
        parent = store.parent(entry)
        while parent is not None and parent.identity not in found:
            found.add(parent.identity)
            parent = store.parent(parent)
    return found
