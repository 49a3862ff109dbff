"""What a report says, as JSON: the one content of all its forms (design.md 6)."""

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from vilax.ablation.claims import LEVEL, judge
from vilax.ablation.collect import ArmFacts, Collected, TaskScores, mean_scores
from vilax.ablation.statistics import effect
from vilax.artifacts.run_record import read_rows, versions
from vilax.config.schema.comparison import Endpoint

CURVE_POINTS = 60


def content(collected: Sequence[Collected], scale: str) -> dict[str, Any]:
    """The content of a report over comparisons.

    Returns:
        JSON with, per comparison: arms (title, overrides, command, stages, per-seed scores),
        controls, claims (text, paper's figures, effect, interval, verdict, reason), curves, paper.
    """
    return {
        "scale": scale,
        "generated": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions() | {"machine": platform.machine()},
        "comparisons": {one.resolved.name: comparison(one) for one in collected},
    }


def comparison(one: Collected) -> dict[str, Any]:
    """One comparison's part of the content."""
    settings = one.resolved.comparison
    scores = {arm: facts.scores for arm, facts in one.arms.items()}
    verdicts = judge(settings.claims, settings.endpoints, scores, one.failed_controls)
    claims = {}
    for name, claim in settings.claims.items():
        found = verdicts[name]
        claims[name] = {
            "text": claim.text,
            "kind": claim.kind,
            "definition": claim.model_dump(mode="json", exclude={"text", "paper"}),
            "paper": claim.paper,
            "effect": found.effect,
            "interval": None if found.interval is None else list(found.interval),
            "level": LEVEL,
            "verdict": found.verdict,
            "reason": found.reason,
            "seeds": found.seeds,
            "items": found.items,
            "p": found.p,
            "p_adjusted": found.p_adjusted,
        }
    return {
        "title": settings.title,
        "question": settings.question,
        "seeds": list(one.resolved.seeds),
        "stage": settings.stage,
        "varies": list(settings.varies),
        "held_equal": settings.held_equal,
        "tuning": settings.tuning,
        "unequal": list(one.unequal),
        "endpoints": {n: e.model_dump(mode="json") for n, e in settings.endpoints.items()},
        "arms": {arm: _arm(facts, settings.endpoints) for arm, facts in one.arms.items()},
        "tasks": _tasks(one.arms),
        "curves": _shot_curves(scores),
        "training": _training(one),
        "controls": {
            task: {"control": control, "failed": one.failed_controls.get(task)}
            for task, control in settings.controls.items()
        },
        "base": {
            task: {
                str(k): value
                for k, value in mean_scores([s[task] for s in one.controls.values()]).items()
            }
            for task in _control_tasks(one.controls)
        },
        "claims": claims,
        "paper": settings.paper.model_dump(mode="json"),
        "timing": _timing(one.arms),
    }


def _arm(facts: ArmFacts, endpoints: Mapping[str, Endpoint]) -> dict[str, Any]:
    seeds: dict[str, Any] = {}
    for seed, tasks in facts.scores.items():
        means = {task: _means(by_k) for task, by_k in tasks.items()}
        seeds[str(seed)] = {
            "tasks": {t: {str(k): v for k, v in by_k.items()} for t, by_k in means.items()},
            "endpoints": {
                name: {
                    str(k): endpoint.scale * float(np.mean([means[t][k] for t in endpoint.tasks]))
                    for k in _common_shots(means, endpoint)
                }
                for name, endpoint in endpoints.items()
            },
        }
    return {
        "title": facts.title,
        "overrides": dict(facts.overrides),
        "command": facts.command,
        "failed": facts.failed or None,
        "stages": [
            {
                "name": stage.name,
                "seed": stage.seed,
                "identity": stage.identity,
                "reused": stage.reused,
                "seconds": round(stage.seconds, 1),
                **{name: int(value) for name, value in stage.counts.items()},
            }
            for stage in facts.stages
        ],
        "seeds": seeds,
    }


def _means(by_k: Mapping[int, Mapping[str, float]]) -> dict[int, float]:
    return {k: float(np.mean(list(items.values()))) for k, items in by_k.items()}


def _common_shots(means: Mapping[str, Mapping[int, float]], endpoint: Endpoint) -> list[int]:
    shots = [set(means[task]) for task in endpoint.tasks if task in means]
    return sorted(set.intersection(*shots)) if len(shots) == len(endpoint.tasks) else []


def _tasks(arms: Mapping[str, ArmFacts]) -> dict[str, Any]:
    """Every task with its shots and its chance level."""
    found: dict[str, Any] = {}
    for facts in arms.values():
        for tasks in facts.scores.values():
            for task, by_k in tasks.items():
                found[task] = {"shots": sorted(by_k), "chance": facts.chance.get(task)}
    return found


def _shot_curves(scores: Mapping[str, Mapping[int, TaskScores]]) -> dict[str, Any]:
    """Task, arm, shots to mean and 95 % interval in percent."""
    curves: dict[str, Any] = {}
    for arm, by_seed in scores.items():
        tasks = next(iter(by_seed.values()), {})
        for task, by_k in tasks.items():
            for k in by_k:
                rows = [list(tables[task][k].values()) for tables in by_seed.values()]
                found = effect([100.0 * np.array(rows, dtype=np.float64)])
                low, high = found.interval(LEVEL)
                points = curves.setdefault(task, {}).setdefault(arm, {})
                points[str(k)] = {"mean": found.mean, "low": low, "high": high}
    return curves


def _training(one: Collected) -> dict[str, Any]:
    """Stage, arm to points (share of the budget, loss) at the first seed; shared curves once."""
    first = one.resolved.seeds[0]
    curves: dict[str, Any] = {}
    for (arm, seed, stage), entry in one.results.items():
        file = entry.folder / "metrics.jsonl"
        if seed != first or not file.exists():
            continue
        rows = read_rows(file)
        step = max(1, len(rows) // CURVE_POINTS)
        points = [[row["share"], row["loss"]] for row in rows[::step]]
        known = curves.setdefault(stage, {})
        same = next((label for label, curve in known.items() if curve == points), None)
        if same is None:
            known[arm] = points
        else:
            known[f"{same}, {arm}"] = known.pop(same)
    return curves


def _control_tasks(controls: Mapping[int, TaskScores]) -> list[str]:
    return sorted({task for tasks in controls.values() for task in tasks})


def _timing(arms: Mapping[str, ArmFacts]) -> dict[str, float]:
    """Seconds of training: of all arms if each were trained alone, and of what was distinct."""
    every = [stage for facts in arms.values() for stage in facts.stages]
    distinct = {stage.identity: stage.seconds for stage in every}
    return {
        "alone_seconds": round(sum(stage.seconds for stage in every), 1),
        "distinct_seconds": round(sum(distinct.values()), 1),
        "stages": len(every),
        "distinct_stages": len(distinct),
    }


def as_json(report: Mapping[str, Any]) -> str:
    """The content as text; not-a-number has no place in it."""
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
