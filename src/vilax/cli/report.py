"""``vilax report``: page and Markdown again from what is stored; trains nothing."""

import argparse
from collections.abc import Sequence

from vilax.ablation.report.write import read, report_folder, write


def main(argv: Sequence[str]) -> int:
    """Write page and Markdown again from ``report.json``; prints the page's path.

    Raises:
        ConfigError: there is no report of that scale.
    """
    parser = argparse.ArgumentParser(
        prog="vilax report",
        description="Write report.html and report.md again from report.json.",
        epilog="vilax compare gathers results and writes all three.",
    )
    parser.add_argument("--scale", default="micro", help="name of the scale (default: micro)")
    options = parser.parse_args(argv)
    folder = report_folder(options.scale)
    print(write(read(folder), folder))
    return 0
