"""wandb: one run per arm and seed, offline unless asked otherwise; no account is ever needed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vilax.artifacts.store import Entry
from vilax.config.locate import outputs_dir
from vilax.config.schema.execution import Logger


def publish_arm(
    comparison: str,
    arm: str,
    seed: int,
    stages: Sequence[tuple[str, Entry]],
    evaluation: Entry | None,
    config: Mapping[str, Any],
    settings: Logger,
) -> Path | None:
    """Write the curves and scores of one arm and seed as a wandb run.

    Runs are grouped by comparison, with the arm as job type and the seed as tag. The same results
    are published once: the run's id is a hash of their identities.

    Args:
        comparison: name of the comparison.
        arm: name of the arm.
        seed: the run's seed.
        stages: stage names with their results, in order.
        evaluation: the evaluation of the last stage, where there is one.
        config: the resolved configuration.
        settings: mode and project.

    Returns:
        Marker file of the published run; None where dashboards are disabled.
    """
    if settings.wandb == "disabled":
        return None
    parts = [comparison, arm, str(seed), *(entry.identity for _, entry in stages)]
    parts.append(evaluation.identity if evaluation else "")
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
        config=dict(config),
        mode=settings.wandb,
        dir=str(outputs_dir()),
        settings=wandb.Settings(silent=True, console="off", disable_git=True),
    ) as run:
        for name, entry in stages:
            run.define_metric(f"{name}/step")
            run.define_metric(f"{name}/*", step_metric=f"{name}/step")
            for row in metrics_rows(entry.folder / "metrics.jsonl"):
                run.log({f"{name}/{key}": value for key, value in row.items()})
        if evaluation is not None:
            results = json.loads((evaluation.folder / "results.json").read_text())
            for task, figures in results["tasks"].items():
                for shots, value in figures["scores"].items():
                    if value is None:
                        continue
                    run.summary[f"evaluation/{task}/{shots}-shot"] = value
    marker.touch()
    return marker


def metrics_rows(path: Path) -> Iterator[dict[str, float]]:
    """Rows of a metrics file with nested values flattened by ``/``."""
    for line in path.read_text().splitlines():
        yield dict(_flat("", json.loads(line)))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}/{key}" if prefix else key, inner)
    else:
        yield prefix, value
