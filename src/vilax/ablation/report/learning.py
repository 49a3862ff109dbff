"""What stages learned: training curves over tokens, and measurements, as the report holds them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from vilax.ablation.collect import Collected
from vilax.ablation.report.measured import Measured
from vilax.ablation.training_loss import finite_rows
from vilax.artifacts.store import Entry

CURVE_POINTS = 60
"""Points kept of a training curve."""
WINDOW = 0.05
"""Share of a stage's budget over which its loss is averaged, since single steps scatter."""


def training(one: Collected) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Stage, arms that share it, to points (supervised tokens, loss) at the first seed."""
    first = one.resolved.seeds[0] if one.resolved.seeds else 0
    sharing: dict[str, dict[str, list[str]]] = {}
    entries: dict[str, Entry] = {}
    for (arm, seed, stage), entry in one.results.items():
        if seed == first and (entry.folder / "metrics.jsonl").exists():
            sharing.setdefault(stage, {}).setdefault(entry.identity, []).append(arm)
            entries[entry.identity] = entry
    return {
        stage: {", ".join(arms): curve(entries[identity]) for identity, arms in by_identity.items()}
        for stage, by_identity in sharing.items()
    }


def curve(entry: Entry) -> list[tuple[float, float]]:
    """Supervised tokens seen and the loss around there, a mean over 5 % of the stage's budget."""
    rows = finite_rows(entry.folder)
    if not rows:
        return []
    share = np.array([row["share"] for row in rows], dtype=np.float64)
    loss = np.array([row["loss"] for row in rows], dtype=np.float64)
    tokens = np.array([row["supervised"] for row in rows], dtype=np.float64)
    kept = np.unique(
        np.linspace(0, len(rows) - 1, min(CURVE_POINTS, len(rows))).round().astype(int)
    )
    near = np.abs(share[kept, None] - share[None, :]) <= WINDOW / 2
    smooth = (near * loss).sum(axis=1) / near.sum(axis=1)
    return [(float(tokens[i]), round(float(s), 4)) for i, s in zip(kept, smooth, strict=True)]


def measured(raw: Mapping[str, Any]) -> Measured:
    """What was measured, part by part: one that is not whole is left out, not the others."""
    found: dict[str, Any] = {}
    for name in Measured.model_fields:
        value = _finite(raw.get(name))
        if value is None:
            continue
        try:
            Measured.model_validate({name: value})
        except ValidationError:
            continue
        found[name] = value
    return Measured.model_validate(found)


def _finite(value: Any) -> Any:
    """The same with None for what is no number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
