"""``vilax data stats``: documents, pictures, texts and lengths of corpora."""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from vilax.data.stats import Stats

EXAMPLES = """\
examples:
  vilax data stats pages/ shards/ llava.json     a table for each
  vilax data stats shards/ --limit 2000          from a sample, the same each time
  vilax data stats sft.json --tokenizer ~/weights/vicuna --template vicuna_v1
  vilax data stats shards/ --json > stats.json

Pictures are not decoded, only their headers are read: `vilax data lint` decodes them.
"""

TEMPLATES = ("raw", "plain", "qa", "vicuna_v1", "vicuna_v1_nosys")


def main(argv: Sequence[str]) -> int:
    """Print what corpora hold.

    Raises:
        ConfigError: nothing is there, or it is of no known format.
    """
    from vilax.cli.data_reading import (
        check_place,
        documents_bar,
        image_tokens,
        open_place,
        prompt_encoder,
    )
    from vilax.data.stats import Measurer, measure

    words = _parser().parse_intermixed_args(list(argv))
    for place in words.path:
        check_place(place, words.images)
    tokens = image_tokens(words)
    encoder = prompt_encoder(words.tokenizer, tokens) if words.tokenizer else None
    found = []
    for place in words.path:
        reader, _ = open_place(place, words.format, words.images)
        total = min(words.limit or len(reader), len(reader))
        measurer = Measurer(reader, encoder, words.template)
        with documents_bar(place, total) as advance:
            found.append(
                measure(
                    place,
                    measurer,
                    max(1, words.jobs),
                    words.limit,
                    words.seed,
                    words.timeout,
                    advance,
                )
            )
    if words.json:
        figures: list[dict[str, Any]] = [stats.figures() for stats in found]
        print(json.dumps(figures, indent=1, ensure_ascii=False))
    else:
        _show(found)
    return 0


def _show(found: "Sequence[Stats]") -> None:
    from rich.console import Console

    # Wide enough for a table where the output goes to a file.
    console = Console() if Console().is_terminal else Console(width=120)
    for number, stats in enumerate(found):
        if number:
            console.print()
        console.print(_table(stats))
        console.print(_said(stats), highlight=False, markup=False)


def _table(stats: "Stats") -> "Table":
    from rich.table import Table

    table = Table(title=stats.name, title_justify="left")
    table.add_column("per document" if "pictures" in stats.spreads else "")
    for heading in ("mean", "least", "5 %", "median", "95 %", "99 %", "most", "total"):
        table.add_column(heading, justify="right")
    table.add_column("spread up to 99 %")
    for name, spread in stats.spreads.items():
        if not spread.count:
            continue
        quantiles = (spread.quantile(share) for share in (0.0, 0.05, 0.5, 0.95, 0.99, 1.0))
        mean = f"{spread.mean:,.2f}" if spread.mean < 100 else f"{spread.mean:,.0f}"
        total = "" if name.startswith("picture ") else f"{spread.total:,}"
        table.add_row(name, mean, *(f"{q:,.0f}" for q in quantiles), total, spread.bar())
    return table


def _said(stats: "Stats") -> str:
    bad = stats.bad / stats.measured if stats.measured else 0.0
    opened = "" if stats.measured == stats.documents else f", {stats.measured:,} of them opened"
    lines = [f"{stats.documents:,} documents{opened}; {stats.bad:,} bad ({bad:.2%})"]
    if stats.whole:
        lines.append(
            f"{stats.supervised / stats.whole:.1%} of {stats.whole:,} {stats.unit} supervised"
        )
    if stats.formats:
        counts = ", ".join(f"{form} {number:,}" for form, number in stats.formats.most_common())
        lines.append(f"pictures: {counts}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    from vilax.cli.data_reading import add_picture_options

    parser = argparse.ArgumentParser(
        prog="vilax data stats",
        description="Documents, pictures, texts and lengths of corpora.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", nargs="+", help="files or folders, of any format")
    parser.add_argument("--images", metavar="DIR", help="where pictures and videos lie")
    parser.add_argument(
        "--format", default="auto", metavar="F", help="format; auto tells it from the content"
    )
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument("--limit", type=int, metavar="N", help="open so many, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the draw")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes"
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="longest time for one sample"
    )
    parser.add_argument(
        "--tokenizer", metavar="FOLDER", help="count tokens with it; micro: the micro world's"
    )
    parser.add_argument(
        "--template", default="raw", choices=TEMPLATES, help="how turns become text"
    )
    add_picture_options(parser, 256)
    return parser


def _tell(advance: Callable[[int, str], None], number: int) -> None:
    advance(number, "")
