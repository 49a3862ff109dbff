"""Writing a report: three files, each replaced at once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vilax.ablation.report.markdown import markdown
from vilax.ablation.report.model import Report
from vilax.ablation.report.page import page
from vilax.artifacts.files import write_text
from vilax.config.errors import ConfigError
from vilax.config.locate import outputs_dir


def report_folder(scale: str) -> Path:
    """Where the report of a scale lies."""
    return outputs_dir() / "report" / scale


def write(report: Report | Mapping[str, Any], folder: Path) -> Path:
    """Write ``report.json``, ``report.md`` and ``report.html``; returns the page.

    The same report gives the same bytes.

    Raises:
        ConfigError: a mapping is no report, or one of another version.
    """
    if not isinstance(report, Report):
        report = _parse(report)
    text = json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_text(folder / "report.json", text + "\n")
    write_text(folder / "report.md", markdown(report))
    write_text(folder / "report.html", page(report))
    return folder / "report.html"


def read(folder: Path) -> Report:
    """The report that a folder holds.

    Raises:
        ConfigError: there is none, or another version of vilax wrote it.
    """
    try:
        stored = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no report in {folder}: vilax compare writes one") from error
    except ValueError as error:
        raise ConfigError(f"{folder / 'report.json'} is no JSON: {error}") from error
    return _parse(stored)


def _parse(stored: Mapping[str, Any]) -> Report:
    try:
        return Report.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"not a report of this version, {where}: {first['msg']}; vilax compare writes a new one"
        ) from error
