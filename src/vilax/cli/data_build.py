"""``vilax data build``: shards and indexes out of folders and annotations."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from vilax.config.schema.selection import Derivation

EXAMPLES = """\
what is read:
  a folder of pictures, each with its caption beside it: KEY.jpg and KEY.txt, or KEY.json with a
  caption or text (its other fields are kept); subfolders too
  any corpus that vilax reads: an annotation file with pictures beside it (--images says where
  else), a folder of shards; --format names its layout where it cannot be told
what is written:
  DIR/000000.tar ...           KEY.jpg + KEY.txt + KEY.json for pairs; for pages, conversations
                               and texts KEY.json with their segments, and KEY.0.jpg, KEY.1.jpg ...
  DIR/index.json               shards with nsamples, bytes and sha256
  DIR/report/quarantine.jsonl  what was left out, and why

The same input gives the same bytes, by any number of jobs. The same command goes on where a stopped
one ended. DIR is a corpus: corpora.NAME=DIR.

examples:
  vilax data build photos/ --to shards/
  vilax data build llava.json --images coco/ --to shards/ --shard-size 5000 --jobs 8
  vilax data build mmc4/ --to pages/ --shard-size 512MB --seed 0
  vilax data build videos.json --format video_conversations --images videos/ --to frames/

exit code: 0 if every document was written, 1 if any was left out, 2 for a bad request.
"""

SHOWN = 20


def main(argv: Sequence[str]) -> int:
    """Build, and say what came of it.

    Raises:
        ConfigError: a bad request.
    """
    return run(build_parser().parse_args(list(argv)), None)


def run(words: argparse.Namespace, derivation: "Derivation | None") -> int:
    """Write shards as the words of a command line say.

    Args:
        words: of ``build_parser``.
        derivation: what is made of pages on the way.

    Raises:
        ConfigError: a bad request.
    """
    from vilax.cli.progress import documents_bar
    from vilax.config.schema.selection import Derivation
    from vilax.data.build import REPORT, Source, build, parse_size, plan_build

    if words.jobs < 1:
        raise ConfigError(f"--jobs={words.jobs}; expected 1 or more")
    size = parse_size(words.shard_size)
    to = Path(words.to).expanduser()
    if to.exists() and not to.is_dir():
        raise ConfigError(f"--to={to} is a file; expected a folder, which may not exist yet")
    if words.images and "://" not in words.images and not Path(_local(words.images)).exists():
        raise ConfigError(f"--images={words.images} does not exist; expected a folder or tar")
    images = words.images and _local(words.images)
    source = Source(_local(words.source), words.format, images, derivation or Derivation())
    if to.resolve() == Path(source.path).resolve():
        raise ConfigError(f"--to={to} is what is read; give another folder")
    print("vilax: looking at what is there ...", file=sys.stderr)
    plan = plan_build(source, to, size, words.layout, words.seed)
    try:
        with documents_bar("building", plan.documents) as watch:
            built = build(plan, words.jobs, words.overwrite, watch)
    except OSError as error:
        print(f"vilax: {error}; the same command goes on from here", file=sys.stderr)
        return 1
    for line in built.faults[:SHOWN]:
        print(f"{line['key']}: {line['reason']}", file=sys.stderr)
    if len(built.faults) > SHOWN:
        print(f"... and {len(built.faults) - SHOWN:,} more", file=sys.stderr)
    if built.faults:
        print(f"all are named in {to / REPORT / 'quarantine.jsonl'}", file=sys.stderr)
    print(
        f"{plan.layout}: {built.documents:,} documents in {built.shards:,} shards"
        f" ({built.reused:,} done before), {built.bytes:,} bytes, {built.left_out:,} left out"
        f" -> {to}"
    )
    return 1 if built.left_out else 0


def _local(place: str) -> str:
    return place if "://" in place else str(Path(place).expanduser())


def build_parser(
    prog: str = "vilax data build",
    description: str = "Shards and indexes out of folders of pictures, texts and annotations.",
    epilog: str = EXAMPLES,
) -> argparse.ArgumentParser:
    """Words that every command which writes shards takes."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SRC", help="a folder or file")
    parser.add_argument("--to", required=True, metavar="DIR", help="folder of the shards")
    parser.add_argument(
        "--format", default="auto", metavar="NAME", help="layout of SRC (default: told)"
    )
    parser.add_argument("--images", metavar="DIR", help="where pictures and videos lie")
    parser.add_argument(
        "--shard-size",
        default="256MB",
        metavar="SIZE",
        help="documents in a shard (5000), or about so many bytes (default: %(default)s)",
    )
    parser.add_argument(
        "--layout",
        default="auto",
        choices=("auto", "pairs", "documents"),
        help="pairs of picture and caption, or any documents (default: told by a sample)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="shuffle (default: SRC's order)")
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="shards that are written side by side (default: processors, %(default)s)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace another build in DIR")
    return parser
