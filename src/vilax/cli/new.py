"""``vilax new``: the files of a comparison of one's own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vilax.ablation.scaffold import scaffold
from vilax.config.errors import unknown

KINDS = ("comparison",)


def main(argv: Sequence[str]) -> int:
    """Write a comparison that holds as it stands; prints its folder.

    Raises:
        ConfigError: the name is none, or it exists.
    """
    parser = argparse.ArgumentParser(
        prog="vilax new",
        description="Write experiments/NAME with a comparison.yaml that teaches by comments and two"
        " arms; it passes vilax check as it stands.",
        epilog="vilax new comparison second_layer",
    )
    parser.add_argument("kind", help="comparison")
    parser.add_argument("name", help="lower-case letters, digits and underscores")
    parser.add_argument(
        "--to", type=Path, default=Path("experiments"), help="folder (default: experiments)"
    )
    parser.add_argument(
        "--config-dir", type=Path, help="your own configuration folder: its experiments/ is used"
    )
    options = parser.parse_args(argv)
    if options.kind not in KINDS:
        raise unknown("kind of new thing", options.kind, KINDS)
    root = options.config_dir / "experiments" if options.config_dir else options.to
    folder = scaffold(options.name, root)
    print(folder)
    for line in (
        f"vilax check {folder}",
        f"vilax compare {folder} --plan",
        f"vilax compare {folder} --seeds 0,1,2,3,4",
    ):
        print(f"next: {line}", file=sys.stderr)
    return 0
