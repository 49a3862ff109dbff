"""``vilax data score``: how well pictures and texts match, by a CLIP or SigLIP model on disk."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from vilax.config.errors import ConfigError

EXAMPLES = """\
examples:
  vilax data score coyo/ --clip models/clip-vit-base-patch32 --to scores.jsonl
  then the best million, as a list or while training
    vilax data select coyo/ --scores scores.jsonl --score clip_similarity --top 1000000 --to k.txt
    corpora.coyo.select.score={file: scores.jsonl, fields: [clip_similarity], top: 1000000}

A document's score is the cosine of picture and text embedding, on a page the mean over its
pictures, each with the sentence behind it. Broken documents and those without a picture get no
line. The same command goes on where a stopped one ended.
"""


def main(argv: Sequence[str]) -> int:
    """Write the scores.

    Raises:
        ConfigError: a bad request.
    """
    import torch

    from vilax.cli.data_reading import open_place
    from vilax.cli.progress import documents_bar
    from vilax.data.clip_scores import FIELD, ClipScorer, identity, write_scores

    words = _parser(FIELD).parse_args(list(argv))
    folder = Path(words.clip).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"--clip={folder} is no folder; expected one that from_pretrained reads")
    if words.batch < 1:
        raise ConfigError(f"--batch={words.batch}; expected 1 or more")
    reader, _ = open_place(words.path, words.format, words.images)
    scorer = ClipScorer(folder, "cuda" if torch.cuda.is_available() else "cpu")
    to = Path(words.to).expanduser()
    with documents_bar("scoring", len(reader)) as watch:
        made_of = identity(reader, folder, words.field)
        scored, without = write_scores(reader, scorer, to, words.field, made_of, words.batch, watch)
    print(f"{scored:,} documents scored, {without:,} without a score -> {to}")
    return 0


def _parser(field: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vilax data score",
        description="Score how well the pictures of a corpus and their texts match.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="a corpus in any format")
    parser.add_argument("--clip", required=True, metavar="DIR", help="a CLIP or SigLIP model")
    parser.add_argument("--to", required=True, metavar="FILE", help="JSON Lines of key and score")
    parser.add_argument("--field", default=field, help="name of the score (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="pictures together (%(default)s)")
    parser.add_argument("--format", default="auto", help="on-disk format; auto tells it")
    parser.add_argument("--images", metavar="DIR", help="where pictures lie, if not beside")
    return parser
