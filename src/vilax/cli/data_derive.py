"""``vilax data derive``: shards of what is made of pages, as ``corpora.NAME.derive`` makes it."""

from collections.abc import Sequence

from vilax.cli.data_build import build_parser, run
from vilax.config.errors import ConfigError

EXAMPLES = """\
examples:
  each picture with the sentence behind it as a document of its own (MMC4-pairs)
    vilax data derive mmc4/ --pairs --to mmc4-pairs/
  all pictures before all text
    vilax data derive mmc4/ --order images_first --to images-first/
  loss only on the sentence behind a picture (image_following_text_only), 6 pictures a page at most
    vilax data derive mmc4/ --loss following --max-images 6 --to following/

The same is done while training, without a copy, by corpora.NAME.derive: {pairs: true}. Only
pages are changed; conversations and texts are copied as they are. Pages of which nothing is left
are named in DIR/report/quarantine.jsonl. The same command goes on where a stopped one ended.

exit code: 0 if something was written of every document, 1 if any was left out, 2 for a bad request.
"""


def main(argv: Sequence[str]) -> int:
    """Derive, and say what came of it.

    Raises:
        ConfigError: a bad request, or nothing to change.
    """
    from vilax.config.schema.selection import Derivation
    from vilax.config.validate import validate

    parser = build_parser("vilax data derive", "Other documents out of pages.", EXAMPLES)
    parser.add_argument("--pairs", action="store_true", help="a document for each picture")
    parser.add_argument("--order", choices=("interleaved", "images_first"), default="interleaved")
    parser.add_argument("--loss", choices=("all", "following"), default="all")
    parser.add_argument(
        "--max-images", type=int, metavar="N", help="the first N pictures of a page"
    )
    words = parser.parse_args(list(argv))
    asked = {"pairs": words.pairs, "order": words.order, "loss": words.loss}
    derivation = validate(Derivation, {**asked, "images": words.max_images})
    if derivation == Derivation():
        raise ConfigError("give at least one of --pairs, --order, --loss and --max-images")
    return run(words, derivation)
