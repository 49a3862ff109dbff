"""``vilax data convert``: VILA's pickled shards to tars and JSON Lines."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vilax.config.errors import ConfigError

EXAMPLES = """\
what is read, and what it becomes (told from the records themselves):
  COYO   part-00000.pkl   text or caption, image or rawbytes    part-00000.tar: KEY.jpg, KEY.txt,
                                                                KEY.json (other fields)
  MMC4   X.pkl            text_list, image_info                 X.jsonl, X.tar (its pictures)
  VFLAN  *.pkl            question, answer, image               X.jsonl (LLaVA), X.tar

A pickle can name any program to run. Here none is: plain lists, dicts, text, numbers and bytes are
read, and a shard that asks for anything else is refused by that name. Records that are broken are
left out and named in DIR/report/quarantine.jsonl; the rest is converted. A count in X.count that
differs is named too. The same command goes on where a stopped one ended, and converts again what
has changed.

examples:
  vilax data convert coyo-pkl/ --to coyo/ --jobs 8
  vilax data convert mmc4-core/pkl-core/ --to mmc4/
  vilax data convert new-vflan-sharded/ --to vflan/ --images llava-images/
  vilax data convert part-00000.pkl --to one/

exit code: 0 if all was converted, 1 if anything was left out, 2 for a bad request.
"""

SHOWN = 20


def main(argv: Sequence[str]) -> int:
    """Convert, and say what came of it.

    Raises:
        ConfigError: a bad request.
    """
    from vilax.cli.progress import bytes_bar
    from vilax.data.convert import REPORT, convert, plan

    words = _parser().parse_args(list(argv))
    if words.jobs < 1:
        raise ConfigError(f"--jobs={words.jobs}; expected 1 or more")
    to = Path(words.to).expanduser()
    if to.exists() and not to.is_dir():
        raise ConfigError(f"--to={to} is a file; expected a folder, which may not exist yet")
    images = Path(words.images).expanduser() if words.images else None
    shards = plan(Path(words.source).expanduser(), to, words.layout, images)
    total = sum(shard.source.stat().st_size for shard in shards)
    try:
        with bytes_bar("converting", total) as watch:
            summary = convert(shards, words.jobs, watch)
    except OSError as error:
        print(f"vilax: {error}; the same command goes on from here", file=sys.stderr)
        return 1
    for line in summary.faults[:SHOWN]:
        print(f"{line['key']}: {line['reason']}", file=sys.stderr)
    if len(summary.faults) > SHOWN:
        print(f"... and {len(summary.faults) - SHOWN:,} more", file=sys.stderr)
    if summary.faults:
        print(f"all are named in {to / REPORT / 'quarantine.jsonl'}", file=sys.stderr)
    print(
        f"{summary.layout}: {summary.documents:,} documents of {summary.shards:,} shards"
        f" ({summary.reused:,} done before), {summary.left_out:,} left out -> {to}"
    )
    return 1 if summary.left_out else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vilax data convert",
        description="VILA's pickled shards to tars and JSON Lines, without running a pickle.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SRC", help="a .pkl file, or a folder of them")
    parser.add_argument("--to", required=True, metavar="DIR", help="folder of the outputs")
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="shards that are converted side by side (default: processors, %(default)s)",
    )
    parser.add_argument(
        "--layout", default="auto", metavar="NAME", help="coyo, mmc4 or vflan (default: told)"
    )
    parser.add_argument("--images", metavar="DIR", help="where pictures lie that records name")
    return parser
