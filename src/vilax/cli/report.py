"""``vilax report``: the report gathered afresh from the store; trains nothing."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vilax.ablation.graph import store_lookup
from vilax.ablation.report.accumulate import join, stored
from vilax.ablation.report.content import empty
from vilax.ablation.report.refresh import Refresher
from vilax.ablation.report.sweeps import sweeps
from vilax.ablation.report.write import read, report_folder

EVERY = 5.0
"""Seconds between two readings of the store."""
SHARE = 4.0
"""A reading that took t seconds is followed by a pause of this many times t at least."""


def main(argv: Sequence[str]) -> int:
    """Gather the report's comparisons from the store and write it anew; prints the index.

    Raises:
        ConfigError: there is no report of that scale.
    """
    options = parser().parse_args(argv)
    folder = report_folder(options.scale)
    refresher = Refresher(options.scale, store_lookup())
    if not options.watch:
        print(join(refresher.refresh(read(folder)), options.scale, options.config_dir))
        return 0
    try:
        watch(refresher, options.scale, options.config_dir)
    except KeyboardInterrupt:
        return 0
    return 0


def watch(refresher: Refresher, scale: str, config_dir: Path | None) -> None:
    """Write the report anew every few seconds, until interrupted."""
    folder, last = report_folder(scale), ""
    while True:
        began = time.monotonic()
        report = stored(folder) or empty(scale)
        page = join(refresher.refresh(report), scale, config_dir)
        if not last:
            print(page, flush=True)
        line = _state(folder, len(report.comparisons))
        if line != last:
            print(line, file=sys.stderr, flush=True)
            last = line
        time.sleep(max(EVERY, SHARE * (time.monotonic() - began)))


def _state(folder: Path, comparisons: int) -> str:
    running = [f"{one.done}/{one.total} ({', '.join(one.running)})" for one in sweeps(folder)]
    return f"{comparisons} comparisons; {'; '.join(running) or 'no sweep is running'}"


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="vilax report",
        description="Gather the report's comparisons from the store again and write the index, a"
        " page, CSV and LaTeX per comparison, report.md and report.json. Nothing is trained or"
        " evaluated. What the store no longer holds stays as it was.",
        epilog="vilax compare adds comparisons, and writes all of it as its nodes end.",
    )
    made.add_argument("--scale", default="micro", help="name of the scale (default: micro)")
    made.add_argument(
        "--watch", action="store_true", help="again every few seconds, until interrupted"
    )
    made.add_argument("--config-dir", type=Path, help="your own configuration folder")
    return made
