"""What a report says (design.md 6): the one content of all its forms."""

import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from vilax.ablation.calibration import calibrate, null_pairs
from vilax.ablation.claims import LEVEL, judge
from vilax.ablation.collect import ArmFacts, Collected, TaskScores
from vilax.ablation.contrast import contrast
from vilax.ablation.report.model import ComparisonReport, Report
from vilax.ablation.statistics import effect
from vilax.artifacts.run_record import read_rows, versions
from vilax.artifacts.store import Entry
from vilax.config.schema.comparison import Endpoint

CURVE_POINTS = 60
"""Points kept of a training curve."""


def content(collected: Sequence[Collected], scale: str) -> Report:
    """The content of a report over comparisons.

    Args:
        collected: each comparison, as far as it was done.
        scale: name of the scale.
    """
    return Report(
        scale=scale,
        generated=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions() | {"machine": platform.machine()},
        comparisons={one.resolved.name: comparison(one) for one in collected},
    )


def comparison(one: Collected) -> ComparisonReport:
    """One comparison's part of the content."""
    settings = one.resolved.comparison
    scores = {arm: facts.scores for arm, facts in one.arms.items()}
    evaluations = [entry for (_, _, stage), entry in one.results.items() if stage == "evaluation"]
    subjects = read_subjects(evaluations[0]) if evaluations else {}
    return ComparisonReport.model_validate(
        {
            "title": settings.title,
            "question": settings.question,
            "command": _command(one),
            "seeds": one.resolved.seeds,
            "stage": settings.stage,
            "varies": settings.varies,
            "held_equal": settings.held_equal,
            "unequal": one.unequal,
            "tuning": settings.tuning,
            "endpoints": {n: e.model_dump() for n, e in settings.endpoints.items()},
            "tasks": _tasks(evaluations, one),
            "arms": {arm: _arm(facts, settings.endpoints) for arm, facts in one.arms.items()},
            "claims": _claims(one, scores, subjects),
            "calibration": [
                calibrate(*arms, scores, subjects).line for arms in null_pairs(settings)
            ],
            "curves": _by_task({a: _points(list(s.values()), subjects) for a, s in scores.items()}),
            "base": _points(list(one.controls.values()), subjects),
            "controls": {
                task: {"control": control, "failed": one.failed_controls.get(task)}
                for task, control in settings.controls.items()
            },
            "training": _training(one),
            "paper": settings.paper.model_dump(),
            "timing": _timing(one.arms, evaluations),
        }
    )


def read_subjects(entry: Entry) -> dict[str, str]:
    """What each item of an evaluation asks about, where its predictions say so."""
    subjects: dict[str, str] = {}
    with (entry.folder / "predictions.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if "subject" in row:
                subjects[str(row["id"])] = str(row["subject"])
    return subjects


def _command(one: Collected) -> str:
    if one.command:
        return one.command
    resolved = one.resolved
    seeds = ",".join(str(seed) for seed in resolved.seeds)
    words = ["vilax", "compare", resolved.given or resolved.name, *resolved.extra]
    if resolved.config_dir is not None:
        words += ["--config-dir", str(resolved.config_dir)]
    return shlex.join([*words, "--scale", resolved.scale, "--seeds", seeds])


def _claims(
    one: Collected,
    scores: Mapping[str, Mapping[int, TaskScores]],
    subjects: Mapping[str, str],
) -> dict[str, Any]:
    settings = one.resolved.comparison
    verdicts = judge(
        settings.claims, settings.endpoints, scores, one.failed_controls, subjects, one.measures
    )
    contrasts = {name: contrast(claim) for name, claim in settings.claims.items()}
    return {
        name: {
            "text": claim.text,
            "kind": claim.kind,
            "endpoint": claim.endpoint,
            "terms": [(term.weight, term.arm, term.k) for term in contrasts[name].terms],
            "arms": contrasts[name].arms,
            "shots": contrasts[name].shots if settings.endpoints[claim.endpoint].tasks else (),
            "margin": claim.margin,
            "paper": claim.paper,
            "paper_effect": claim.paper_effect,
            "level": LEVEL,
            **vars(verdicts[name]),
        }
        for name, claim in settings.claims.items()
    }


def _arm(facts: ArmFacts, endpoints: Mapping[str, Endpoint]) -> dict[str, Any]:
    seeds: dict[str, Any] = {}
    for seed, tasks in sorted(facts.scores.items()):
        means = {
            task: {k: float(np.mean(list(items.values()))) for k, items in by_k.items() if items}
            for task, by_k in tasks.items()
        }
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


def _common_shots(means: Mapping[str, Mapping[int, float]], endpoint: Endpoint) -> list[int]:
    shots = [set(means[task]) for task in endpoint.tasks if task in means]
    is_whole = shots and len(shots) == len(endpoint.tasks)
    return sorted(set.intersection(*shots)) if is_whole else []


def _tasks(evaluations: Sequence[Entry], one: Collected) -> dict[str, Any]:
    """Every task, those of the first endpoint first."""
    found: dict[str, Any] = {}
    controls = {task for scores in one.controls.values() for task in scores}
    for entry in evaluations[:1]:
        results = json.loads((entry.folder / "results.json").read_text(encoding="utf-8"))
        for task, facts in results["tasks"].items():
            found[task] = {
                "metric": facts["metric"],
                "shots": sorted(int(k) for k in facts["scores"]),
                "chance": facts["chance"],
                "items": facts.get("items", 0),
                "is_text": task in controls,
            }
    first = next(iter(one.resolved.comparison.endpoints.values())).tasks
    ordered = [*(t for t in first if t in found), *(t for t in found if t not in first)]
    return {task: found[task] for task in ordered}


def _points(
    seeds: Sequence[TaskScores], subjects: Mapping[str, str]
) -> dict[str, dict[str, dict[str, float]]]:
    """Task and shots to mean and 95 % interval in percent."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for task in seeds[0] if seeds else ():
        for k in sorted(seeds[0][task]):
            tables = [scores.get(task, {}).get(k, {}) for scores in seeds]
            items = sorted(set.intersection(*(set(table) for table in tables)))
            units = [subjects.get(item, f"item {item}") for item in items]
            if len(set(units)) < 2:
                continue
            rows = [[table[item] for item in items] for table in tables]
            measured = effect([100.0 * np.array(rows, dtype=np.float64)], [units])
            low, high = measured.interval(LEVEL)
            point = {"mean": measured.mean, "low": low, "high": high}
            found.setdefault(task, {})[str(k)] = point
    return found


def _by_task(by_arm: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    tasks = dict.fromkeys(task for points in by_arm.values() for task in points)
    return {t: {arm: points[t] for arm, points in by_arm.items() if t in points} for t in tasks}


def _training(one: Collected) -> dict[str, Any]:
    """Stage, arms that share it, to points (share of the budget, loss) at the first seed."""
    first = one.resolved.seeds[0]
    sharing: dict[str, dict[str, list[str]]] = {}
    entries: dict[str, Entry] = {}
    for (arm, seed, stage), entry in one.results.items():
        if seed == first and (entry.folder / "metrics.jsonl").exists():
            sharing.setdefault(stage, {}).setdefault(entry.identity, []).append(arm)
            entries[entry.identity] = entry
    return {
        stage: {", ".join(arms): _loss(entries[identity]) for identity, arms in by_identity.items()}
        for stage, by_identity in sharing.items()
    }


def _loss(entry: Entry) -> list[tuple[float, float]]:
    """The loss over the budget, averaged over stretches of it, since single steps scatter."""
    rows = read_rows(entry.folder / "metrics.jsonl")
    stretches = np.array_split(np.arange(len(rows)), min(CURVE_POINTS, len(rows)) or 1)
    return [
        (
            round(float(np.mean([rows[i]["share"] for i in some])), 4),
            round(float(np.mean([rows[i]["loss"] for i in some])), 4),
        )
        for some in stretches
        if len(some)
    ]


def _timing(arms: Mapping[str, ArmFacts], evaluations: Sequence[Entry]) -> dict[str, float]:
    every = [stage for facts in arms.values() for stage in facts.stages]
    distinct = {stage.identity: stage.seconds for stage in every}
    asked = {entry.identity: float(entry.meta.get("seconds", 0.0)) for entry in evaluations}
    return {
        "alone_seconds": round(sum(stage.seconds for stage in every), 1),
        "distinct_seconds": round(sum(distinct.values()), 1),
        "stages": len(every),
        "distinct_stages": len(distinct),
        "evaluation_seconds": round(sum(asked.values()), 1),
    }
