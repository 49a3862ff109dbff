"""``vilax report``: the report again from what is stored; trains nothing."""

import argparse
import json
from collections.abc import Sequence

from vilax.ablation.report.write import report_folder, write
from vilax.config.errors import ConfigError


def main(argv: Sequence[str]) -> int:
    """Write page and Markdown again from ``report.json``; prints the page's path."""
    parser = argparse.ArgumentParser(
        prog="vilax report",
        description="Write report.html and report.md again from report.json.",
        epilog="vilax compare gathers results and writes all three.",
    )
    parser.add_argument("--scale", default="micro", help="name of the scale (default: micro)")
    options = parser.parse_args(argv)
    folder = report_folder(options.scale)
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no report of scale {options.scale!r}: vilax compare writes one"
        ) from error
    print(write(report, folder))
    return 0
