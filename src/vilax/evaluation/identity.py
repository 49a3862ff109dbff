"""What determines an evaluation's result; no torch in here."""

import hashlib
from pathlib import Path
from typing import Any

from vilax.artifacts.files import manifest
from vilax.artifacts.identity import VERSIONS, canonical, science_dump
from vilax.config.schema.run import Run

SOURCES = ("vilax.evaluation", "vilax.models", "vilax.data.prompt", "vilax.data.templates")
"""Modules whose source shapes an evaluation."""


def evaluation_seed(run: Run) -> int:
    """Seed of the choice of shots."""
    return run.seed if run.evaluation.seed is None else run.evaluation.seed


def evaluation_inputs(
    run: Run, stage: str, stage_identity: str, data: str, has_images: bool
) -> dict[str, Any]:
    """Everything that determines an evaluation, as JSON.

    Args:
        run: whose evaluation settings are asked.
        stage: name of the evaluated stage.
        stage_identity: what is evaluated.
        data: fingerprint of the evaluation data.
        has_images: whether the model sees; a text-only one is asked text tasks only.
    """
    settings = science_dump(run.evaluation)
    # What the data hold counts, not where they lie.
    del settings["data"]
    settings["tasks"] = {name: settings["tasks"][name] for name in asked_tasks(run, has_images)}
    return {
        "kind": "evaluation",
        "name": stage,
        "stage_identity": stage_identity,
        "settings": settings | {"seed": evaluation_seed(run)},
        "data": data,
        "versions": {name: VERSIONS[name] for name in ("evaluation", "prompt")},
    }


def asked_tasks(run: Run, has_images: bool) -> list[str]:
    """Names of the tasks that a model with or without pictures can be asked."""
    return [
        name
        for name, task in run.evaluation.tasks.items()
        if has_images or getattr(task, "modality", "image") == "text"
    ]


def folder_fingerprint(folder: Path) -> str:
    """Hash over names and content of all files of a folder."""
    return hashlib.sha256(canonical(manifest(folder)).encode()).hexdigest()[:24]
