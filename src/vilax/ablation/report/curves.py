"""Curves over shots: what each arm scores in each task, with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vilax.ablation.claims import LEVEL
from vilax.ablation.collect import TaskScores
from vilax.ablation.statistics import effect

PERCENT = 100.0


def curves(
    scores: Mapping[str, Mapping[int, TaskScores]],
    subjects: Mapping[str, str],
    tasks: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Task to arm to shots to mean and interval; arguments as in :func:`points`."""
    by_arm = {arm: points(list(s.values()), subjects, tasks) for arm, s in scores.items()}
    names = dict.fromkeys(task for found in by_arm.values() for task in found)
    return {t: {arm: found[t] for arm, found in by_arm.items() if t in found} for t in names}


def points(
    seeds: Sequence[TaskScores], subjects: Mapping[str, str], tasks: Mapping[str, Any]
) -> dict[str, dict[str, dict[str, float]]]:
    """Task and shots to mean and 95 % interval, on the task's scale.

    Args:
        seeds: scores at each seed; tasks and shots are those of the first.
        subjects: item to what it asks about; others stand alone.
        tasks: task to what the report says of it, its ``scale`` among it.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for task in seeds[0] if seeds else ():
        for k in sorted(seeds[0][task]):
            tables = [scores.get(task, {}).get(k, {}) for scores in seeds]
            items = sorted(set.intersection(*(set(table) for table in tables)))
            units = [subjects.get(item, f"item {item}") for item in items]
            if len(set(units)) < 2:
                continue
            rows = [[table[item] for item in items] for table in tables]
            scale = tasks[task]["scale"] if task in tasks else PERCENT
            measured = effect([scale * np.array(rows, dtype=np.float64)], [units])
            low, high = measured.interval(LEVEL)
            point = {"mean": measured.mean, "low": low, "high": high}
            found.setdefault(task, {})[str(k)] = point
    return found
