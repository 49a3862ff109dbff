"""``vilax data overlap``: evaluation pictures and texts that occur in training data."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from vilax.data.overlap import Item, Searched

EXAMPLES = """\
what is found:
  a picture of equal bytes, or one that looks the same after resizing or encoding again (hashes of
  what it looks like find candidates, their correlation at 32 x 32 grey pixels decides); blank
  pictures only by equal bytes
  a text that shares N words in a row (--ngram, 13); shorter ones of at least five words as a whole.
  Words that more than 1 % of the evaluation items share are its frame and do not count

examples:
  vilax data overlap coyo/ mmc4/ --eval coco/val2014/ --to overlap.json
  vilax data overlap sft.json --eval okvqa.json flickr.json --exclude-to keys.txt
  vilax train corpora.instructions.select.exclude=keys.txt ...

EVAL is a corpus in any format, a folder of pictures, or a .txt with a text a line. The keys of
--exclude-to serve corpora.NAME.select.exclude and vilax data select --exclude.

exit code: 0, also where something was found; 1 if more than --fail-above documents were.
"""

SHOWN = 10


def main(argv: Sequence[str]) -> int:
    """Search, and say what was found.

    Raises:
        ConfigError: a bad request.
    """
    from vilax.cli.data_reading import check_place, open_place
    from vilax.cli.progress import documents_bar
    from vilax.data.overlap import Wanted, search

    words = _parser().parse_args(list(argv))
    if words.images_only and words.text_only:
        raise ConfigError("--images-only and --text-only exclude each other")
    if words.ngram < 5:
        raise ConfigError(f"--ngram={words.ngram}; expected 5 or more")
    for place in [*words.train, *words.eval]:
        check_place(place, None)
    items = [item for place in words.eval for item in _items(place, words.eval_images)]
    wanted = Wanted(items, words.ngram, not words.text_only, not words.images_only)
    searched: dict[str, Searched] = {}
    for place in words.train:
        reader, _ = open_place(place, words.format, words.images)
        with documents_bar(f"search {place}", len(reader)) as watch:
            searched[place] = search(reader, wanted, words.jobs, watch)
    _show(searched, len(items), wanted.flat)
    if words.to:
        from vilax.artifacts.files import write_json

        write_json(Path(words.to).expanduser(), _facts(words, searched, items))
    keys = [f.key for result in searched.values() for f in result.found]
    if words.exclude_to:
        from vilax.artifacts.files import write_text

        lines = "".join(f"{key}\n" for key in dict.fromkeys(keys))
        write_text(Path(words.exclude_to).expanduser(), lines)
    return 1 if words.fail_above is not None and len(set(keys)) > words.fail_above else 0


def _items(place: str, images: str | None) -> Iterator["Item"]:
    from vilax.cli.data_reading import open_place
    from vilax.data.document import Image, Text
    from vilax.data.formats import BadSample
    from vilax.data.formats.pictures import EXTENSIONS
    from vilax.data.overlap import Item

    path = Path(place).expanduser()
    if path.suffix == ".txt":
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if line.strip():
                yield Item(f"{path.name}:{number}", (), (line,))
        return
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.is_file())
        if files and all(f.suffix.lower().lstrip(".") in EXTENSIONS for f in files):
            for file in files:
                yield Item(str(file.relative_to(path)), (file.read_bytes(),))
            return
    reader, _ = open_place(place, "auto", images)
    for index in range(len(reader)):
        try:
            document = reader[index]
        except BadSample as error:
            print(f"vilax: {error}", file=sys.stderr)
            continue
        pictures = tuple(s.data for s in document.segments if isinstance(s, Image))
        texts = tuple(s.text for s in document.segments if isinstance(s, Text))
        yield Item(document.key, pictures, texts)


def _show(searched: dict[str, "Searched"], items: int, flat: int) -> None:
    for place, result in searched.items():
        kinds = Counter(found.what for found in result.found)
        documents = len({found.key for found in result.found})
        touched = len({found.item for found in result.found})
        print(
            f"{place}: {documents:,} of {result.documents:,} documents hold {touched:,} of"
            f" {items:,} evaluation items"
            f" ({', '.join(f'{n:,} {what}' for what, n in sorted(kinds.items())) or 'nothing'})"
        )
        for found in result.found[:SHOWN]:
            print(f"  {found.key}  {found.what}  {found.item}  {found.detail}")
        if len(result.found) > SHOWN:
            print(f"  ... and {len(result.found) - SHOWN:,} more")
        if result.bad:
            print(f"vilax: {len(result.bad):,} documents cannot be read", file=sys.stderr)
    if flat:
        print(f"{flat:,} evaluation pictures are blank or nearly: only equal bytes were found")


def _facts(
    words: argparse.Namespace, searched: dict[str, "Searched"], items: list["Item"]
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "eval": words.eval,
        "items": len(items),
        "ngram": words.ngram,
        "corpora": {place: asdict(result) for place, result in searched.items()},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vilax data overlap",
        description="Find evaluation pictures and texts in training data.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("train", nargs="+", metavar="TRAIN", help="training data, in any format")
    parser.add_argument("--eval", nargs="+", required=True, metavar="EVAL", help="see below")
    parser.add_argument("--to", metavar="FILE", help="write all that was found as JSON")
    parser.add_argument("--exclude-to", metavar="FILE", help="write the keys of what was found")
    parser.add_argument("--images-only", action="store_true", help="do not look for texts")
    parser.add_argument("--text-only", action="store_true", help="do not look for pictures")
    parser.add_argument("--ngram", type=int, default=13, metavar="N", help="words in a row")
    parser.add_argument("--fail-above", type=int, metavar="N", help="exit 1 above N documents")
    parser.add_argument("--format", default="auto", help="of TRAIN; auto tells it")
    parser.add_argument("--images", metavar="DIR", help="pictures of TRAIN, if not beside")
    parser.add_argument("--eval-images", metavar="DIR", help="pictures of EVAL, if not beside")
    jobs = len(os.sched_getaffinity(0))
    parser.add_argument("--jobs", type=int, default=jobs, metavar="N", help="processes")
    return parser
