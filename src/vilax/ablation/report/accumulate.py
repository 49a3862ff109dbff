"""A report that grows: what a call gathered joins what earlier calls at the scale have left."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from vilax.ablation.collect import Collected
from vilax.ablation.report.content import content, empty
from vilax.ablation.report.model import ComparisonReport, Report
from vilax.ablation.report.sharing import saved
from vilax.ablation.report.sweeps import sweeps
from vilax.ablation.report.unrun import unrun
from vilax.ablation.report.write import read, report_folder, write
from vilax.config.errors import ConfigError

LOCK = ".report.lock"


def publish(collected: Sequence[Collected], scale: str, config_dir: Path | None = None) -> Path:
    """Write the report of a scale: these comparisons, and the others as they last were.

    Args:
        collected: what a call gathered.
        scale: name of the scale.
        config_dir: the user's configuration folder; its comparisons are listed as well.

    Returns:
        The index page.
    """
    return join(content(collected, scale).comparisons, scale, config_dir)


def join(fresh: Mapping[str, ComparisonReport], scale: str, config_dir: Path | None = None) -> Path:
    """Put comparisons into the report of a scale in place of what it had of them; writes it.

    Calls that do so at once follow each other, and each finds what the other has left.
    """
    folder = report_folder(scale)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK):
        last = stored(folder)
        known = dict(last.comparisons) if last is not None else {}
        comparisons = known | dict(fresh)
        found = unrun(scale, comparisons, config_dir)
        if last is not None:
            # A user's comparisons stay listed when a call names no folder of theirs.
            kept = {n: one for n, one in last.open.items() if n not in comparisons}
            found = kept | found
        report = empty(scale).model_copy(
            update={
                "comparisons": comparisons,
                "open": found,
                "sweeps": sweeps(folder),
                "savings": saved(comparisons),
            }
        )
        return write(report, folder)


def stored(folder: Path) -> Report | None:
    """The report that a folder holds; None where there is none that this version reads."""
    if not (folder / "report.json").is_file():
        return None
    try:
        return read(folder)
    except ConfigError as error:
        print(f"vilax: {error}; what it held is left out", file=sys.stderr)
        return None
