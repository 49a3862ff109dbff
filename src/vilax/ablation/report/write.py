"""Writing a report: three files, each replaced at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vilax.ablation.report.content import as_json
from vilax.ablation.report.markdown import markdown
from vilax.ablation.report.page import page
from vilax.artifacts.files import write_text
from vilax.config.locate import outputs_dir


def report_folder(scale: str) -> Path:
    """Where the report of a scale lies."""
    return outputs_dir() / "report" / scale


def write(report: Mapping[str, Any], folder: Path) -> Path:
    """Write ``report.json``, ``report.md`` and ``report.html``; returns the page."""
    write_text(folder / "report.json", as_json(report))
    write_text(folder / "report.md", markdown(report))
    write_text(folder / "report.html", page(report))
    return folder / "report.html"
