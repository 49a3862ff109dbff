"""What a report says (design.md 6): the one content of all its forms."""

import json
import platform
import shlex
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from vilax.ablation.calibration import calibrate, null_pairs
from vilax.ablation.claims import LEVEL, Verdict, judge
from vilax.ablation.collect import ArmFacts, Collected, TaskScores
from vilax.ablation.comparison import Resolved
from vilax.ablation.contrast import contrast
from vilax.ablation.control import prove
from vilax.ablation.report.curves import curves, points
from vilax.ablation.report.examples import examples
from vilax.ablation.report.learning import measured, training
from vilax.ablation.report.model import ComparisonReport, Report
from vilax.artifacts.run_record import versions
from vilax.artifacts.store import Entry
from vilax.config.schema.comparison import Comparison, Endpoint


def content(collected: Sequence[Collected], scale: str, has_examples: bool = True) -> Report:
    """The content of a report over comparisons.

    Args:
        collected: each comparison, as far as it was done.
        scale: name of the scale.
        has_examples: look up answers on which arms differ, with their pictures.
    """
    found = {one.resolved.name: comparison(one, has_examples) for one in collected}
    return empty(scale).model_copy(update={"comparisons": found})


def empty(scale: str) -> Report:
    """A report of nothing yet, made here and now."""
    made_by = versions() | {"machine": platform.machine()}
    return Report(scale=scale, generated=now(), versions=made_by, comparisons={})


def now() -> str:
    """The time, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def comparison(one: Collected, has_examples: bool = True) -> ComparisonReport:
    """One comparison's part of the content."""
    settings, resolved = one.resolved.comparison, one.resolved
    scores = {arm: facts.scores for arm, facts in one.arms.items()}
    evaluations = [entry for (_, _, stage), entry in one.results.items() if stage == "evaluation"]
    # Arms may be asked different tasks: a base LLM sees no pictures.
    of_arms: dict[str, Entry] = {}
    for (arm, _, stage), entry in one.results.items():
        if stage == "evaluation":
            of_arms.setdefault(arm, entry)
    subjects = read_subjects(list(of_arms.values()))
    claims = _claims(one, scores, subjects)
    tasks = _tasks(list(of_arms.values()), one)
    shots = sorted({k for claim in claims.values() for k in claim["shots"]})
    is_named = bool(resolved.given) and not one.command
    return ComparisonReport.model_validate(
        stated(settings)
        | {
            "command": _command(one),
            "seeds": resolved.seeds,
            "unequal": one.unequal,
            "tasks": tasks,
            "arms": {arm: _arm(arm, facts, one) for arm, facts in one.arms.items()},
            "open_arms": open_arms(settings, one.arms),
            "claims": claims,
            "calibration": [
                calibrate(*arms, scores, subjects).line for arms in null_pairs(settings)
            ],
            "curves": curves(scores, subjects, tasks),
            "base": points(list(one.controls.values()), subjects, tasks),
            "controls": {
                task: {"control": control, "failed": one.failed_controls.get(task)}
                for task, control in settings.controls.items()
            },
            "training": training(one),
            "base_measures": {
                ", ".join(arms): {str(seed): measured(raw) for seed, raw in seeds.items()}
                for arms, seeds in one.base_measures.items()
            },
            "examples": examples(one, shots) if has_examples else None,
            "proof": proof(resolved),
            "timing": _timing(one.arms, evaluations),
            "generated": now(),
            "request": {
                "name": resolved.given,
                "seeds": resolved.seeds,
                "extra": resolved.extra,
                "config_dir": str(resolved.config_dir) if resolved.config_dir else None,
            }
            if is_named
            else None,
        }
    )


def stated(settings: Comparison) -> dict[str, Any]:
    """What the files of a comparison say, whether it was run or not."""
    return {
        "title": settings.title,
        "question": settings.question,
        "stage": settings.stage,
        "control_stage": settings.control_stage,
        "varies": settings.varies,
        "held_equal": settings.held_equal,
        "tuning": settings.tuning,
        "endpoints": {n: e.model_dump() for n, e in settings.endpoints.items()},
        "paper": settings.paper.model_dump(),
    }


def open_arms(settings: Comparison, ran: Container[str]) -> dict[str, Any]:
    """Arms that have no run at this scale."""
    return {
        arm: {"title": a.title, "scales": settings.scales if a.scales is None else a.scales}
        for arm, a in settings.arms.items()
        if arm not in ran
    }


def proof(resolved: Resolved) -> dict[str, Any] | None:
    """What the arms' configurations show; None where there is nothing to hold beside each other."""
    if len(resolved.arms) < 2:
        return None
    found = prove(resolved)
    return {
        "equal": found.equal,
        "differences": [vars(one) for one in found.differences],
        "budgets": [vars(one) for one in found.budgets],
        "faults": found.faults,
    }


def read_subjects(entries: Sequence[Entry]) -> dict[str, str]:
    """What each item of evaluations asks about, where their predictions say so."""
    subjects: dict[str, str] = {}
    for entry in entries:
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
    return claims_of(settings, verdicts)


def claims_of(settings: Comparison, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Every claim as it was written, with its verdict."""
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


def _arm(arm: str, facts: ArmFacts, one: Collected) -> dict[str, Any]:
    endpoints = one.resolved.comparison.endpoints
    seeds: dict[str, Any] = {}
    for seed, tasks in sorted(facts.scores.items()):
        means = {
            task: {k: float(np.mean(list(items.values()))) for k, items in by_k.items() if items}
            for task, by_k in tasks.items()
        }
        seeds[str(seed)] = {
            "tasks": {t: {str(k): v for k, v in by_k.items()} for t, by_k in means.items()},
            "figures": {
                t: {str(k): v for k, v in by_k.items()}
                for t, by_k in facts.figures.get(seed, {}).items()
            },
            "endpoints": {
                name: {
                    str(k): float(
                        np.mean([endpoint.scale_of(t) * means[t][k] for t in endpoint.tasks])
                    )
                    for k in _common_shots(means, endpoint)
                }
                for name, endpoint in endpoints.items()
                if endpoint.tasks
            },
        }
    return {
        "title": facts.title,
        "overrides": dict(facts.overrides),
        "command": facts.command,
        "failed": facts.failed or None,
        "retry": facts.retry or None,
        "waiting": facts.waiting or None,
        "tokens": sum(int(stage.counts.get("tokens", 0)) for stage in facts.stages),
        "seconds": round(sum(stage.seconds for stage in facts.stages), 1),
        "stages_trained": sum(not stage.reused for stage in facts.stages),
        "stages_reused": sum(stage.reused for stage in facts.stages),
        "measures": {
            str(seed): measured(raw) for (a, seed), raw in one.measures.items() if a == arm
        },
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
        "evaluations": {
            str(seed): {
                "identity": entry.identity,
                "seconds": round(float(entry.meta.get("seconds", 0.0)), 1),
            }
            for (a, seed, stage), entry in one.results.items()
            if a == arm and stage == "evaluation"
        },
    }


def _common_shots(means: Mapping[str, Mapping[int, float]], endpoint: Endpoint) -> list[int]:
    shots = [set(means[task]) for task in endpoint.tasks if task in means]
    is_whole = shots and len(shots) == len(endpoint.tasks)
    return sorted(set.intersection(*shots)) if is_whole else []


def _tasks(evaluations: Sequence[Entry], one: Collected) -> dict[str, Any]:
    """Every task, those of the first endpoint first."""
    found: dict[str, Any] = {}
    controls = {task for scores in one.controls.values() for task in scores}
    for entry in evaluations:
        results = json.loads((entry.folder / "results.json").read_text(encoding="utf-8"))
        for task, facts in results["tasks"].items():
            known = {
                "metric": facts["metric"],
                "shots": sorted(int(k) for k in facts["scores"]),
                "chance": facts["chance"],
                "items": facts.get("items", 0),
                "scale": facts["scale"],
                "is_text": task in controls,
            }
            found.setdefault(task, known)
    first = next((e.tasks for e in one.resolved.comparison.endpoints.values()), ())
    ordered = [*(t for t in first if t in found), *(t for t in found if t not in first)]
    return {task: found[task] for task in ordered}


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
