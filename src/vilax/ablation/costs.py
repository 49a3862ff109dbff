"""How much work a node is, in units that only nodes of one kind compare by."""

from collections.abc import Mapping
from typing import Any

from vilax.artifacts.store import Entry
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.evaluation import Task
from vilax.config.schema.run import Run
from vilax.evaluation.identity import asked_tasks

UNKNOWN = 1000
"""Items of a benchmark that is asked in whole and does not say how many it has."""


def stage_cost(run: Run, stage: str) -> float:
    """Of training a stage."""
    budget = run.stages[stage].budget
    return _of_budget(budget.kind, budget.amount)


def evaluation_cost(run: Run, stage: str) -> float:
    """Of asking a stage's tasks."""
    names = asked_tasks(run, "encoder" in run.stages[stage].parts)
    asked = {name: run.evaluation.tasks[name] for name in names}
    return _of_tasks(
        {name: {"items": items_of(task), "shots": task.shots} for name, task in asked.items()},
        run.evaluation.limit,
    )


def items_of(task: Task) -> int | None:
    """Items that a task has, where that is known without its files."""
    if isinstance(task, BenchmarkTask):
        return task.items or task.count
    return task.items


def measures_cost(run: Run) -> float:
    """Of measuring a stage."""
    return 1000.0 * run.measures.documents


def stored_cost(entry: Entry) -> float:
    """What a stored result's node cost, by what determined it; 0 where that does not say."""
    found: Mapping[str, Any] = entry.inputs
    try:
        if entry.kind == "stage":
            given = {k: v for k, v in found["stage"]["budget"].items() if v is not None}
            kind, amount = next(iter(given.items()))
            return _of_budget(kind, amount)
        if entry.kind == "evaluation":
            return _of_tasks(found["settings"]["tasks"], found["settings"].get("limit"))
        return 1000.0 * float(found["settings"]["documents"])
    except (KeyError, StopIteration):
        return 0.0


def _of_budget(kind: str, amount: int) -> float:
    return amount * (1.0 if kind == "tokens" else 100.0)


def _of_tasks(tasks: Mapping[str, Mapping[str, Any]], limit: int | None) -> float:
    return float(
        sum(
            100 * min(task["items"] or UNKNOWN, limit or 10**9) * len(task["shots"])
            for task in tasks.values()
        )
    )
