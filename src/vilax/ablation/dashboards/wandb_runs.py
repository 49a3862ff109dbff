"""wandb: one run per arm and seed, offline unless asked otherwise; no account is ever needed."""

import base64
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilax.artifacts.store import Entry
from vilax.config.locate import outputs_dir

if TYPE_CHECKING:
    from vilax.ablation.dashboards.publish import Published
    from vilax.ablation.report.examples import Pictures

SHOWN = 32
"""Answers of each task in the table of predictions, at the most shots."""


def publish_wandb(published: "Published") -> Path:
    """Write one arm and seed as a wandb run.

    Runs are grouped by comparison, with the arm as job type and the seed as tag. The same results
    are published once: the run's id is a hash of their identities.

    Returns:
        Marker file of the published run.
    """
    settings, evaluation = published.run.logger, published.evaluation
    comparison, arm, seed = published.comparison, published.arm, published.seed
    parts = [comparison, arm, str(seed), *(entry.identity for _, entry in published.stages)]
    parts.append(evaluation.identity if evaluation else "")
    if published.measures:
        parts.append(json.dumps(published.measures))
    run_id = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
    marker = outputs_dir() / "wandb" / "published" / f"{run_id}-{settings.wandb}"
    if marker.exists():
        return marker
    import wandb

    marker.parent.mkdir(parents=True, exist_ok=True)
    with wandb.init(
        project=settings.project,
        group=comparison,
        job_type=arm,
        name=f"{comparison}-{arm}-seed{seed}",
        id=run_id,
        tags=[f"seed{seed}", arm],
        config=published.run.model_dump(mode="json"),
        mode=settings.wandb,
        dir=str(outputs_dir()),
        settings=wandb.Settings(silent=True, console="off", disable_git=True),
    ) as run:
        for name, entry in published.stages:
            run.define_metric(f"{name}/step")
            run.define_metric(f"{name}/*", step_metric=f"{name}/step")
            for row in metrics_rows(entry.folder / "metrics.jsonl"):
                run.log({f"{name}/{key}": value for key, value in row.items()})
        for name, value in published.measures:
            run.summary[f"measures/{name}"] = value
        if evaluation is not None:
            for name, value in scores(evaluation):
                run.summary[f"evaluation/{name}"] = value
            run.log({"evaluation/predictions": _predictions(published, evaluation)})
    marker.touch()
    return marker


def scores(evaluation: Entry) -> Iterator[tuple[str, float]]:
    """Scores of an evaluation, as ``TASK/K-shot``; tasks yet to be judged are left out."""
    results = json.loads((evaluation.folder / "results.json").read_text(encoding="utf-8"))
    for task, figures in results["tasks"].items():
        for shots, value in figures["scores"].items():
            if value is not None:
                yield f"{task}/{shots}-shot", float(value)


def predictions(evaluation: Entry) -> list[dict[str, Any]]:
    """Rows to show: of each task, at the most shots, the first items in the order of a hash."""
    rows: dict[str, list[dict[str, Any]]] = {}
    with (evaluation.folder / "predictions.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            rows.setdefault(str(row["task"]), []).append(row)
    shown = []
    for of_task in rows.values():
        most = max(int(row["k"]) for row in of_task)
        asked = [row for row in of_task if int(row["k"]) == most]
        shown += sorted(asked, key=lambda row: _hash(str(row["id"])))[:SHOWN]
    return shown


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _predictions(published: "Published", evaluation: Entry) -> Any:
    """A table of answers with the pictures that were asked about."""
    import wandb

    from vilax.ablation.report.examples import Pictures

    pictures = Pictures(published.run)
    columns: list[str | int] = [
        "task",
        "shots",
        "id",
        "picture",
        "prompt",
        "answer",
        "reference",
        "score",
    ]
    table = wandb.Table(columns=columns)
    for row in predictions(evaluation):
        task, k, name = str(row["task"]), int(row["k"]), str(row["id"])
        reference = row.get("reference", "")
        table.add_data(
            task,
            k,
            name,
            _picture(pictures, task, k, name, int(row.get("seed", published.seed))),
            str(row.get("prompt", "")),
            str(row.get("answer", "")),
            " / ".join(map(str, reference)) if isinstance(reference, list) else str(reference),
            row["score"],
        )
    return table


def _picture(pictures: "Pictures", task: str, k: int, name: str, seed: int) -> Any:
    import wandb
    from PIL import Image

    found = pictures.of(task, k, name, seed)
    if not found:
        return None
    data = base64.b64decode(found[-1].partition(",")[2])
    return wandb.Image(Image.open(io.BytesIO(data)))


def metrics_rows(path: Path) -> Iterator[dict[str, float]]:
    """Rows of a metrics file with nested values flattened by ``/``."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield dict(_flat("", json.loads(line)))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix}/{key}" if prefix else key, inner)
    else:
        yield prefix, value
