"""``vilax data``: finds the tool; nothing heavy is imported before it is known."""

import sys
from collections.abc import Sequence
from importlib import import_module

from vilax.config.errors import unknown

TOOLS = {
    "inspect": "what the model sees of a blend, as one page: packed rows, loss, pictures, totals",
    "lint": "open every sample of a file or folder and name what is wrong",
    "stats": "documents, pictures, texts and lengths of corpora",
    "build": "shards and indexes from folders of pictures, texts and annotations",
    "convert": "VILA's pickled shards to tars and JSON Lines, without running a pickle",
    "derive": "shards of what is made of pages: pairs, another order, less loss",
    "score": "how well pictures and texts match, by a CLIP or SigLIP model on disk",
    "overlap": "pictures and texts of an evaluation that occur in training data",
    "select": "lists of keys: by score, at random, or until a budget is reached",
}


def main(argv: Sequence[str]) -> int:
    """Run one tool.

    Returns:
        0 if what was asked was done and nothing is wrong with the data, 1 otherwise.

    Raises:
        ConfigError: there is no such tool.
    """
    if not argv or argv[0] in ("-h", "--help", "help"):
        print("usage: vilax data TOOL ...\n")
        for name, line in TOOLS.items():
            print(f"  {name:10} {line}")
        print("\nvilax data TOOL --help says more")
        return 0 if argv else _missing()
    if argv[0] not in TOOLS:
        raise unknown("data tool", argv[0], TOOLS)
    code: int = import_module(f"vilax.cli.data_{argv[0]}").main(argv[1:])
    return code


def _missing() -> int:
    print("vilax: data needs a tool", file=sys.stderr)
    return 2
