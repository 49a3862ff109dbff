"""``vilax data select``: lists of keys by rule, and corpora matched by size."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from vilax.data.formats import Reader

EXAMPLES = """\
examples:
  the paper's rule for COYO: the best 25 million of all by CLIP similarity
    vilax data select coyo/ --score clip_similarity_vitb32 --top 25000000 --to keys.txt
  the rule of its code: of each shard the best fifth, of sums above 0.6
    vilax data select coyo/ --score clip_similarity_vitb32 --score clip_similarity_vitl14 \\
        --above 0.6 --share 0.2 --to keys.txt
  a subset at random, and the same without what an evaluation holds
    vilax data select pages/ --count 100000 --seed 1 --exclude overlap.txt --to keys.txt
  corpora with equally many pictures: one list for each, and a table of what they hold
    vilax data select pages/ pairs/ --match images --to lists/

A list serves as corpora.NAME.select.ids, and every rule is a key of corpora.NAME.select as well:
corpora.pages.select.count=100000. The same rules and seed give the same documents.
"""


def main(argv: Sequence[str]) -> int:
    """Write the keys that are selected.

    Raises:
        ConfigError: a bad request, or more is asked for than there is.
    """
    words = _parser().parse_intermixed_args(list(argv))
    if words.match:
        return _match(words)
    if len(words.path) > 1:
        raise ConfigError("several PATHs go with --match images or --match tokens")
    if words.budget:
        raise ConfigError("--budget goes with --match; expected --images N or --tokens N")
    reader = _opened(words, words.path[0], _rules(words))
    number = _write(reader, Path(words.to), f"select {words.path[0]}")
    print(f"{number:,} keys -> {words.to}")
    return 0


def _rules(words: argparse.Namespace) -> dict[str, Any]:
    rules: dict[str, Any] = {
        name: getattr(words, name)
        for name in ("ids", "exclude", "every", "count", "images", "tokens", "seed")
        if getattr(words, name) is not None
    }
    score = {n: getattr(words, n) for n in ("above", "share", "top") if getattr(words, n)}
    if score or words.score:
        if not words.score:
            raise ConfigError(f"--{next(iter(score))} needs --score FIELD, what documents score")
        rules["score"] = {"fields": words.score, "file": words.scores, **score}
    return rules


def _opened(words: argparse.Namespace, path: str, rules: dict[str, Any]) -> "Reader":
    from vilax.cli.data_reading import image_tokens, open_place, prompt_encoder
    from vilax.config.schema.selection import Selection
    from vilax.config.validate import validate
    from vilax.data.document import Document
    from vilax.data.selection import select

    reader, _ = open_place(path, words.format, words.pictures)
    selection = validate(Selection, rules)
    if selection.tokens is None:
        return select(reader, selection)
    encoder = prompt_encoder(words.tokenizer, image_tokens(words))

    def tokens(document: Document) -> int:
        return len(encoder.document(document, words.template).tokens)

    by = f"{encoder.fingerprint()} {encoder.counting} {words.template}"
    return select(reader, selection, tokens, by)


def _write(reader: "Reader", path: Path, what: str) -> int:
    from vilax.artifacts.files import replacing
    from vilax.cli.progress import documents_bar

    total = len(reader)
    path = path.expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        documents_bar(what, total) as watch,
        replacing(path) as partial,
        partial.open("w", encoding="utf-8") as file,
    ):
        for index in range(total):
            file.write(f"{reader.key(index)}\n")
            if index % 256 == 0:
                watch(index)
    return total


def _match(words: argparse.Namespace) -> int:
    """The largest budget that every corpus can give, or the one asked for, from each."""
    from vilax.cli.data_reading import image_tokens, prompt_encoder
    from vilax.cli.progress import documents_bar
    from vilax.data.document import Image
    from vilax.data.formats import BadSample

    if len(words.path) < 2:
        raise ConfigError("--match compares corpora: expected two PATHs or more")
    names = [Path(path).name.split(".")[0] for path in words.path]
    if len(set(names)) < len(names):
        raise ConfigError(f"--match writes a list by the name of each PATH; these agree: {names}")
    rules = _rules(words)
    rules = {n: v for n, v in rules.items() if n in ("ids", "exclude", "score", "seed")}
    encoder = prompt_encoder(words.tokenizer, image_tokens(words))

    def sizes(reader: "Reader", what: str) -> tuple[int, int]:
        images = tokens = 0
        with documents_bar(what, len(reader)) as watch:
            for index in range(len(reader)):
                try:
                    document = reader[index]
                    tokens += len(encoder.document(document, words.template).tokens)
                except BadSample:
                    continue
                images += sum(isinstance(s, Image) for s in document.segments)
                watch(index + 1)
        return images, tokens

    budget = words.budget
    if budget is None:
        place = ("images", "tokens").index(words.match)
        budget = min(
            sizes(_opened(words, path, rules), f"measure {name}")[place]
            for path, name in zip(words.path, names, strict=True)
        )
        if budget == 0:
            raise ConfigError(f"--match {words.match}: a corpus has none")
    print(f"{'corpus':20} {'documents':>12} {'images':>12} {'tokens':>14}")
    for path, name in zip(words.path, names, strict=True):
        reader = _opened(words, path, rules | {words.match: budget})
        number = _write(reader, Path(words.to) / f"{name}.txt", f"select {name}")
        images, tokens = sizes(reader, f"count {name}")
        print(f"{name:20} {number:>12,} {images:>12,} {tokens:>14,}")
    print(f"matched by {words.match}, {budget:,} each -> {words.to}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    from typing import get_args

    from vilax.cli.data_reading import add_picture_options
    from vilax.config.schema.data import Template

    parser = argparse.ArgumentParser(
        prog="vilax data select",
        description="Write the keys of documents that a rule selects, one a line.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", nargs="+", metavar="PATH", help="a corpus in any format")
    parser.add_argument("--to", required=True, metavar="FILE", help="keys; with --match a folder")
    parser.add_argument("--ids", metavar="FILE", help="only these keys")
    parser.add_argument("--exclude", metavar="FILE", help="not these keys")
    parser.add_argument(
        "--score", action="append", metavar="FIELD", help="score; of several, their sum"
    )
    parser.add_argument(
        "--scores", metavar="FILE", help="take scores from a file of vilax data score"
    )
    parser.add_argument("--above", type=float, metavar="X", help="only scores above X")
    parser.add_argument("--share", type=float, metavar="X", help="the best share of each shard")
    parser.add_argument("--top", type=int, metavar="N", help="the best N of all")
    parser.add_argument("--every", type=int, metavar="N", help="N at equal spacing")
    parser.add_argument("--count", type=int, metavar="N", help="N at random")
    parser.add_argument("--images", type=int, metavar="N", help="at random up to N pictures")
    parser.add_argument("--tokens", type=int, metavar="N", help="at random up to N tokens")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn at random")
    parser.add_argument("--match", choices=("images", "tokens"), help="make corpora equal in these")
    parser.add_argument("--budget", type=int, metavar="N", help="with --match: so many from each")
    parser.add_argument("--format", default="auto", help="on-disk format; auto tells it")
    parser.add_argument("--pictures", metavar="DIR", help="where pictures lie, if not beside")
    parser.add_argument(
        "--tokenizer", default="micro", metavar="DIR", help="counts tokens; micro, or a folder"
    )
    add_picture_options(parser, 144)
    parser.add_argument(
        "--template", default="raw", choices=get_args(Template), help="how turns become text"
    )
    return parser
