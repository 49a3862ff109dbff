"""What determines an evaluation's result; no torch in here."""

import hashlib
from pathlib import Path
from typing import Any

from vilax.artifacts.files import manifest
from vilax.artifacts.identity import canonical, science_dump, versions
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.evaluation import Task
from vilax.config.schema.run import Run
from vilax.evaluation.records import annotation_prints

SOURCES = (
    "vilax.evaluation",
    "vilax.models",
    "vilax.data.decoding",
    "vilax.data.encoded",
    "vilax.data.images",
    "vilax.data.prompt",
    "vilax.data.resampling",
    "vilax.data.subtitles",
    "vilax.data.templates",
    "vilax.data.tiles",
    "vilax.data.video",
)
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
        "versions": versions(
            ("evaluation", "prompt"), run.encoder.image_policy if has_images else None
        ),
    }


def asked_tasks(run: Run, has_images: bool) -> list[str]:
    """Names of the tasks that a model with or without pictures can be asked."""
    return [name for name, task in run.evaluation.tasks.items() if has_images or is_text(task)]


def is_text(task: Task) -> bool:
    """Whether a task shows no pictures."""
    if isinstance(task, BenchmarkTask):
        return task.pictures is None and task.video is None and task.binding is None
    return getattr(task, "modality", "image") == "text"


def data_print(run: Run, data: str | None) -> str:
    """Fingerprint of everything that a run's evaluation reads.

    Of benchmarks the annotation files count; of their pictures ``results.json`` has a hash over all
    that was shown.

    Args:
        run: whose evaluation settings are asked.
        data: fingerprint of the micro world's evaluation data; None where no task reads them.
    """
    root = Path(run.evaluation.benchmarks).expanduser()
    prints: dict[str, str] = {} if data is None else {"data": data}
    for name, task in run.evaluation.tasks.items():
        if isinstance(task, BenchmarkTask):
            files = annotation_prints(task, root)
            prints[name] = hashlib.sha256(canonical(files).encode()).hexdigest()[:24]
    return data if data is not None and len(prints) == 1 else canonical(prints)


def folder_fingerprint(folder: Path) -> str:
    """Hash over names and content of all files of a folder."""
    return hashlib.sha256(canonical(manifest(folder)).encode()).hexdigest()[:24]
