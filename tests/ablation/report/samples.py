"""A comparison's results, invented but of the shape and spread of real ones."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.ablation.fakes import entry, fake_identity, freezing
from vilax.ablation.collect import (
    ArmFacts,
    Collected,
    StageFacts,
    TaskScores,
    read_figures,
    read_scores,
)
from vilax.ablation.training_loss import training_losses
from vilax.artifacts.store import Entry

LEVELS: dict[str, dict[str, dict[int, float]]] = {
    "open_answer": {
        "a": {0: 0.10, 2: 0.16, 4: 0.2, 8: 0.21},
        "b": {0: 0.47, 2: 0.45, 4: 0.44, 8: 0.43},
        "c": {0: 0.46, 2: 0.5, 4: 0.52, 8: 0.53},
        "d": {0: 0.47, 2: 0.51, 4: 0.54, 8: 0.54},
    },
    "caption": {
        "a": {0: 0.05, 2: 0.11, 4: 0.13, 8: 0.14},
        "b": {0: 0.33, 2: 0.28, 4: 0.26, 8: 0.25},
        "c": {0: 0.33, 2: 0.34, 4: 0.35, 8: 0.35},
        "d": {0: 0.34, 2: 0.35, 4: 0.36, 8: 0.37},
    },
    "relation": {
        "a": {0: 0.12, 2: 0.35, 4: 0.4, 8: 0.41},
        "b": {0: 0.25, 2: 0.36, 4: 0.38, 8: 0.37},
        "c": {0: 0.26, 2: 0.55, 4: 0.62, 8: 0.64},
        "d": {0: 0.26, 2: 0.56, 4: 0.64, 8: 0.65},
    },
    "text_relation": {
        "a": {0: 0.33, 2: 0.97, 4: 0.98, 8: 0.99},
        "b": {0: 0.3, 2: 0.8, 4: 0.84, 8: 0.86},
        "c": {0: 0.32, 2: 0.9, 4: 0.93, 8: 0.94},
        "d": {0: 0.32, 2: 0.91, 4: 0.93, 8: 0.94},
    },
}
METRICS = {"open_answer": "vqa_accuracy", "caption": "cider_d / 10"}
CHANCE = {"relation": 1 / 9, "text_relation": 1 / 9}
BUDGETS = {"text": 2_000_000, "align": 500_000, "pretrain": 1_300_000, "sft": 300_000}


def draw(arm: str, seed: int, tasks: tuple[str, ...], items: int) -> TaskScores:
    """Right or wrong answers; an item is as hard for every arm, a seed as good for every item."""
    scores: TaskScores = {}
    for task in tasks:
        rng = np.random.default_rng(int(hashlib.sha256(task.encode()).hexdigest()[:8], 16))
        hardness = rng.uniform(0, 1, items)
        own = np.random.default_rng([seed, ord(arm[0]), len(task)])
        luck = own.normal(0, 0.012)
        scores[task] = {}
        for k, level in LEVELS[task]["a" if arm == "base" else arm].items():
            noise = own.normal(0, 0.12, items)
            right = hardness + noise < level + luck
            ids = [f"{task}-{i}" for i in range(items)]
            scores[task][k] = dict(zip(ids, right.astype(float).tolist(), strict=True))
    return scores


def evaluation(folder: Path, name: str, scores: TaskScores) -> Entry:
    """A stored evaluation with the files that the real one has."""
    here = folder / name
    here.mkdir(parents=True)
    tasks: dict[str, Any] = {}
    lines = []
    for task, by_k in scores.items():
        tasks[task] = {
            "metric": METRICS.get(task, "accuracy"),
            "scores": {str(k): float(np.mean(list(one.values()))) for k, one in by_k.items()},
            "items": len(by_k[0]),
            "chance": CHANCE.get(task),
            "scale": 100.0,
        }
        for k, one in by_k.items():
            for i, v in one.items():
                row = {"task": task, "k": k, "seed": 0, "id": i, "subject": i.split("-")[1]}
                row |= {"score": v, "prompt": f"<image> {i} is", "reference": ["red"]}
                lines.append(json.dumps(row | {"answer": "red" if v else "blue"}))
    (here / "results.json").write_text(json.dumps({"tasks": tasks}))
    (here / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    return entry("evaluation", name, here, {"seconds": 31.0})


def stage(folder: Path, name: str, identity: str) -> Entry:
    """A stored stage with its training curve."""
    here = folder / identity
    if not here.exists():
        here.mkdir(parents=True)
        rng = np.random.default_rng(int(identity[:6], 16))
        start, end = {"text": (4.5, 1.5), "align": (3.5, 2.1), "pretrain": (2.6, 1.7)}.get(
            name, (1.8, 0.7)
        )
        rows = []
        for i in range(1, 101):
            loss = end + (start - end) * np.exp(-i / 20) + rng.normal(0, 0.05)
            row = {
                "step": i,
                "share": i / 100,
                "loss": loss,
                "supervised": BUDGETS[name] * i // 300,
            }
            rows.append(json.dumps(row))
        (here / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    meta = {"name": name, "seconds": BUDGETS[name] / 9000}
    return entry("stage", identity, here, meta)


def collected(folder: Path, seeds: tuple[int, ...] = (0,), items: int = 60) -> Collected:
    """All arms of the freezing comparison at all seeds."""
    resolved = freezing(seeds)
    arms: dict[str, ArmFacts] = {}
    results: dict[tuple[str, int, str], Entry] = {}
    seen: set[str] = set()
    for one in resolved.runs:
        settings = resolved.comparison.arms[one.arm]
        facts = arms.setdefault(one.arm, ArmFacts(settings.title, settings.overrides, one.command))
        for name in one.run.order:
            identity = fake_identity(one.run, name)
            counts = {"tokens": BUDGETS[name], "images": BUDGETS[name] // 40 * (name != "text")}
            counts |= {"documents": BUDGETS[name] // 60, "supervised": BUDGETS[name] // 3}
            found = stage(folder, name, identity)
            results[one.arm, one.seed, name] = found
            seconds = float(found.meta["seconds"])
            facts.stages.append(
                StageFacts(name, one.seed, identity, identity in seen, seconds, counts)
            )
            seen.add(identity)
        scores = draw(one.arm, one.seed, tuple(LEVELS), items)
        found = evaluation(folder, f"{one.arm}-{one.seed}", scores)
        results[one.arm, one.seed, "evaluation"] = found
        facts.scores[one.seed], facts.chance = read_scores(found)
        facts.figures[one.seed] = read_figures(found)
    controls = {seed: draw("base", seed, ("text_relation",), items) for seed in seeds}
    losses = training_losses(results)
    measured = {
        place: measures(*place) | {"training_loss": losses[place]}
        for place in ((one.arm, one.seed) for one in resolved.runs)
    }
    base = {("a", "b", "c", "d"): {seed: measures("base", seed) for seed in seeds}}
    return Collected(resolved, arms, controls, {}, (), results, measured, base)


def measures(arm: str, seed: int) -> dict[str, Any]:
    """What ``measures.json`` of an arm's last stage would hold."""
    rng = np.random.default_rng([seed, ord(arm[0]), 7])
    height = {"a": 0.1, "b": 0.2, "c": 0.45, "d": 0.5}.get(arm, 0.05)
    layers = list(range(7))
    return {
        "alignment": {
            "layers": layers,
            "values": [height * i / 6 + float(rng.normal(0, 0.01)) for i in layers],
            "documents": 64,
        },
        "text_drift": {
            "perplexity": 4.5 + height + float(rng.normal(0, 0.02)),
            "base_perplexity": 4.5,
            "tokens": 20_000,
        },
        "loss_by_position": {
            "edges": [0, 16, 32, 64, 128, 256],
            "loss": [2.4 - height * i / 3 for i in range(5)],
            "tokens": [900, 900, 1800, 3600, 7200],
        },
        "loss_by_images": {
            "images": [0, 1, 2, 4],
            "loss": [2.3 - height * i / 2 for i in range(4)],
            "tokens": [500, 500, 400, 300],
        },
        "held_out": {"pages": {"loss": 2.1 - height + float(rng.normal(0, 0.01)), "tokens": 9000}},
        "missing": {},
    }
