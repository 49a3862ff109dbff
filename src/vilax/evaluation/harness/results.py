"""What a harness found, on disk: ``results.json`` and one ``samples_TASK.jsonl`` a task."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vilax.artifacts.files import write_json, write_text

OF_THE_MACHINE = ("pretty_env_info", "git_hash", "git_branch")
"""What the harnesses note of the place they ran in, which says nothing of the model."""


def write_results(folder: Path, found: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write all that a harness's ``simple_evaluate`` returned.

    Args:
        folder: where.
        found: what it returned, samples included.
        facts: what we know of the model and the call; ``vilax`` in ``results.json``.
    """
    for task, samples in found["samples"].items():
        lines = [json.dumps(plain(one), ensure_ascii=False, sort_keys=True) for one in samples]
        name = "".join(c if c.isalnum() or c in "-_." else "_" for c in task)
        write_text(folder / f"samples_{name}.jsonl", "".join(f"{line}\n" for line in lines))
    kept = {k: v for k, v in found.items() if k not in ("samples", *OF_THE_MACHINE)}
    write_json(folder / "results.json", plain({**kept, "vilax": dict(facts)}))


def plain(value: Any) -> Any:
    """The same as JSON has it; functions become their names, bytes and pictures their kind."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in value), key=str)
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    name = getattr(value, "__qualname__", None)
    return f"{value.__module__}.{name}" if name else f"<{type(value).__name__}>"
