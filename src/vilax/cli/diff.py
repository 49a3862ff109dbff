"""``vilax diff``: what two arms, or two trained results, differ in."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from vilax.ablation.difference import Difference
    from vilax.ablation.first_documents import Opening

FIRST = 8
"""Documents that are shown of a stage whose order differs."""
PIPE_WIDTH = 160
"""Columns where the output is no terminal."""


def main(argv: Sequence[str]) -> int:
    """Print what differs.

    Raises:
        ConfigError: there is no such arm or result.
    """
    parser = argparse.ArgumentParser(
        prog="vilax diff",
        description="Say what two arms differ in: settings, data and their order, what was seen and"
        " trained, and, where the store has them, scores and measures.",
        epilog="An arm is COMPARISON:ARM or COMPARISON:ARM:SEED; a result is a folder or the first"
        " digits of its identity. vilax store why-not says which keys make two identities differ.",
    )
    parser.add_argument("one", metavar="A", help="freezing:b, freezing:b:3, or a result")
    parser.add_argument("other", metavar="B", help="the same")
    parser.add_argument("--scale", default="micro", help="of arms (default: micro)")
    parser.add_argument(
        "--documents",
        type=_count,
        default=FIRST,
        metavar="N",
        help="show the first N documents of each stage whose order differs; 0: none, and no data"
        " are read (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="everything as JSON on stdout")
    options = parser.parse_args(argv)
    from vilax.ablation.difference import compare, side

    one, other = side(options.one, options.scale), side(options.other, options.scale)
    with Console(stderr=True).status("comparing settings, data and results"):
        found = compare(one, other, options.documents)
    if options.json:
        print(json.dumps({"a": one.label, "b": other.label, **asdict(found)}, indent=1))
        return 0
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if one.stages != other.stages:
        console.print(f"stages: {' '.join(one.stages)} and {' '.join(other.stages)}")
    for table in _tables(found, one.label, other.label):
        console.print(table)
    if not any(asdict(found)[key] for key in ("settings", "data", "order")):
        console.print("no difference in settings, data or order")
    return 0


def _tables(found: "Difference", a: str, b: str) -> list[Table]:
    tables = []

    def add(title: str, rows: Mapping[str, Any], is_number: bool = False) -> None:
        if not rows:
            return
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for heading in ("", a, b, *(["B - A"] if is_number else [])):
            table.add_column(heading, overflow="fold")
        for key, (first, second) in rows.items():
            cells = [_shown(first), _shown(second)]
            if is_number:
                cells.append("" if None in (first, second) else _signed(second - first))
            table.add_row(key, *cells)
        tables.append(table)

    add("Settings that differ", dict(sorted(found.settings.items())))
    add("Data that differ", _joined(found.data))
    if found.order:
        table = Table(title="Order of documents", title_justify="left", box=None, pad_edge=False)
        for heading in ("stage", "differs by"):
            table.add_column(heading, overflow="fold")
        for stage, why in found.order.items():
            table.add_row(stage, why)
        tables.append(table)
    add("Documents that are read first", _documents(found.documents))
    add("What is trained", _joined(found.policies))
    add("Seen", _joined(found.counts), is_number=True)
    scores = {
        f"{task}, {k} shots": pair
        for task, by_k in found.scores.items()
        for k, pair in sorted(by_k.items(), key=lambda one: int(one[0]))
    }
    add("Scores (0 to 1, or the task's own unit)", scores, is_number=True)
    add("Measures", found.measures, is_number=True)
    return tables


def _documents(found: Mapping[str, "tuple[Opening, Opening]"]) -> dict[str, tuple[str, str]]:
    """What each side reads first, second and so on; in its place why that cannot be told."""
    rows = {}
    for stage, (one, other) in found.items():
        if one == other and one.documents:
            rows[f"{stage} 1 to {len(one.documents)}"] = ("the same", "the same")
            continue
        for at in range(max(1, len(one.documents), len(other.documents))):
            rows[f"{stage} {at + 1}"] = (_document(one, at), _document(other, at))
    return rows


def _document(one: "Opening", at: int) -> str:
    if one.documents:
        read = one.documents[at]
        return escape(f"{read.corpus} {read.key}")
    return escape(f"not known: {one.lacking}") if at == 0 else ""


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text}: expected a number of documents, 0 or more")
    return int(text)


def _joined(nested: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{a} {b}": pair for a, inner in nested.items() for b, pair in inner.items()}


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value)


def _signed(value: float) -> str:
    return f"{value:+,.3f}" if abs(value) < 1000 else f"{value:+,.0f}"
