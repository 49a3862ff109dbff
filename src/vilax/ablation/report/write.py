"""Writing a report: pages, tables and data, each file replaced at once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vilax.ablation.report.exports import comparison_csv, comparison_latex
from vilax.ablation.report.markdown import markdown
from vilax.ablation.report.model import Report
from vilax.ablation.report.page import comparison_page, file_name, index
from vilax.artifacts.files import write_text
from vilax.config.errors import ConfigError
from vilax.config.locate import outputs_dir


def report_folder(scale: str) -> Path:
    """Where the report of a scale lies."""
    return outputs_dir() / "report" / scale


def write(report: Report | Mapping[str, Any], folder: Path) -> Path:
    """Write ``report.json``, ``report.md``, the index ``report.html``, and beside it for each
    comparison its page, CSV and LaTeX; returns the index.

    The same report gives the same bytes; a file that stays the same is not touched.

    Raises:
        ConfigError: a mapping is no report, or one of another version.
    """
    if not isinstance(report, Report):
        report = _parse(report)
    text = json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False)
    _replace(folder / "report.json", text + "\n")
    _replace(folder / "report.md", markdown(report))
    for name, one in (report.comparisons | report.open).items():
        stem = file_name(name)
        _replace(folder / f"{stem}.html", comparison_page(name, one, report))
        _replace(folder / f"{stem}.csv", comparison_csv(one))
        _replace(folder / f"{stem}.tex", comparison_latex(name, one))
    # Last, for it links to the others.
    _replace(folder / "report.html", index(report))
    return folder / "report.html"


def _replace(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


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
