"""run.json and metrics.jsonl: what a run was, and what it measured on the way."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

from vilax.artifacts.files import write_json, write_text

PACKAGES = ("vilax", "torch", "lightning", "transformers", "timm", "megatron-energon", "peft")
SECRET_KEY = re.compile(
    r"(^|[_-])(api_?key|access_?key|token|password|passwd|secrets?|credentials?)([_-]|$)", re.I
)
"""Keys whose text would be a secret; ``tokens`` and ``tokenizer`` are none."""
NONDETERMINISM = {
    "cpu": "none known at a fixed number of threads",
    "cuda": "atomic additions in backward of embeddings and attention; last bits may differ",
}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> str | None:
    """The project's git commit with ``+`` where files are changed; None outside a checkout."""
    here = Path(__file__).parent
    head = _git(here, "rev-parse", "HEAD")
    if head is None:
        return None
    return head + ("+" if _git(here, "status", "--porcelain", "-uno") else "")


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def write_run_json(path: Path, **sections: Mapping[str, Any]) -> None:
    """Write ``run.json``: the given sections, versions, platform and commit.

    Args:
        path: the file.
        **sections: config, lineage, seeds, data, timings.

    Raises:
        ValueError: text stands under a key that looks like a secret's; those belong in the
            environment.
    """
    for name, section in sections.items():
        _refuse_secrets(section, name)
    record: dict[str, Any] = {name: dict(section) for name, section in sections.items()}
    record["versions"] = versions()
    record["platform"] = {"machine": platform.machine(), "cpus": os.cpu_count()}
    record["nondeterminism"] = NONDETERMINISM
    record["commit"] = commit()
    write_json(path, record)


def _refuse_secrets(value: Any, key: str) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            is_text = isinstance(inner, str | bytes) and len(inner) > 0
            if is_text and SECRET_KEY.search(str(name)):
                raise ValueError(f"{key}.{name} looks like a secret: keep it in the environment")
            _refuse_secrets(inner, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _refuse_secrets(inner, f"{key}.{index}")


class MetricsWriter:
    """One JSON object a line; a line torn by a kill is ignored when the file is read again.

    Args:
        path: the file; made, empty, where there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row and flush it."""
        line = json.dumps(row, sort_keys=True) + "\n"
        with self.path.open("ab+") as file:
            # What a kill has torn must not swallow the row that follows it.
            if file.tell() and _last_byte(file) != b"\n":
                line = "\n" + line
            file.write(line.encode())

    def rows(self) -> list[dict[str, Any]]:
        """All whole rows."""
        return read_rows(self.path)

    def keep_until(self, step: int) -> None:
        """Drop rows after a step, as when training goes on from a checkpoint."""
        kept = [row for row in self.rows() if row["step"] <= step]
        write_text(self.path, "".join(json.dumps(row, sort_keys=True) + "\n" for row in kept))


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a metrics file, without lines that a kill has torn."""
    rows: list[dict[str, Any]] = []
    for line in path.read_bytes().split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows
