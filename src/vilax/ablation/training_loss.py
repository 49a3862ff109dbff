"""Training loss of a stage as one number, out of the rows that it wrote while it trained."""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vilax.artifacts.run_record import read_rows
from vilax.artifacts.store import Entry

HALF = 0.5
"""Share of a stage's budget behind which its loss counts; before it, it falls steeply."""


def finite_rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of a stage's metrics with a share of its budget, a loss and a count of tokens.

    Args:
        folder: the stage's result. One without ``metrics.jsonl``, as an imported one, has none.
    """
    file = folder / "metrics.jsonl"
    return [row for row in read_rows(file) if _is_finite(row)] if file.exists() else []


def _is_finite(row: Mapping[str, Any]) -> bool:
    needed = [row.get(name) for name in ("share", "loss", "supervised")]
    return all(isinstance(x, int | float) and math.isfinite(x) for x in needed)


def training_loss(folder: Path) -> float | None:
    """Mean training loss over the last half of a stage's budget, in nats per supervised token.

    A row has the loss of one step and the supervised tokens since the stage began. Its loss stands
    for the tokens since the row before, of a row on both sides of the half for those behind it:

        sum over rows of tokens x loss / sum over rows of tokens

    Every step's rows (``trainer.log_steps=1``) give the mean over the tokens themselves; fewer rows
    an estimate of it.

    Args:
        folder: the stage's result.

    Returns:
        The mean; None where no row tells a loss behind the half.
    """
    rows = finite_rows(folder)
    share, loss, supervised = (
        np.array([row[name] for row in rows], dtype=np.float64)
        for name in ("share", "loss", "supervised")
    )
    before = np.concatenate([[0.0], share])[:-1]
    width = share - before
    behind = np.clip(share - np.maximum(before, HALF), 0.0, None)
    tokens = np.diff(supervised, prepend=0.0)
    weights = tokens * np.divide(behind, width, out=np.zeros_like(width), where=width > 0)
    return float((weights * loss).sum() / weights.sum()) if weights.sum() > 0 else None


def training_losses(
    results: Mapping[tuple[str, int, str], Entry],
) -> dict[tuple[str, int], dict[str, float]]:
    """Arm and seed to the training loss of each of its stages that has one.

    Args:
        results: stored results by arm, seed and stage; those that are no stage are passed over.
    """
    # Arms share stages, whose rows are read once.
    loss_of = cache(training_loss)
    found: dict[tuple[str, int], dict[str, float]] = {}
    for (arm, seed, stage), entry in results.items():
        if entry.kind == "stage" and (loss := loss_of(entry.folder)) is not None:
            found.setdefault((arm, seed), {})[stage] = loss
    return found
