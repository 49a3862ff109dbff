"""What results.json holds: figures over seeds of shots, intervals, notes; and bf16."""

import json
from pathlib import Path
from statistics import fmean, stdev

import pytest

from tests.evaluation.benchmark_files import WRITERS
from tests.evaluation.models import random_subject
from tests.evaluation.test_benchmarks import load
from vilax.config.schema.evaluation import Evaluation
from vilax.evaluation.asking import mean_figures
from vilax.evaluation.evaluate import evaluate


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_each_seed_of_shots_is_asked_and_reported(tmp_path: Path, precision: str) -> None:
    WRITERS["vqav2"](tmp_path)
    task = load("vqav2", shots=[0, 2], max_new_tokens=2)
    settings = Evaluation(
        tasks={"vqav2": task}, benchmarks=str(tmp_path), shot_seeds=(3, 4), precision=precision
    )
    out = tmp_path / "out"
    evaluate(random_subject(4096), settings, ["vqav2"], None, 0, out, "stage")
    results = json.loads((out / "results.json").read_text())
    rows = [json.loads(line) for line in (out / "predictions.jsonl").open()]
    # Without shots a seed changes nothing, so only the first is asked.
    assert [(r["k"], r["seed"]) for r in rows] == [(0, 3)] * 12 + [(2, 3)] * 12 + [(2, 4)] * 12
    assert {tuple(r["shots"]) for r in rows if r["seed"] == 3 and r["k"]} != {
        tuple(r["shots"]) for r in rows if r["seed"] == 4
    }
    task_results = results["tasks"]["vqav2"]
    each = {
        seed: fmean(r["score"] for r in rows if (r["k"], r["seed"]) == (2, seed)) for seed in (3, 4)
    }
    assert task_results["by_seed"]["2"] == {str(s): pytest.approx(v) for s, v in each.items()}
    assert task_results["scores"]["2"] == pytest.approx(fmean(each.values()))
    assert task_results["sd_over_shot_seeds"]["2"] == pytest.approx(stdev(each.values()))
    assert set(task_results["figures"]["0"]["by"]["answer_type"]) == {"number", "other", "yes/no"}
    assert results["decoding"]["precision"] == precision and results["decoding"]["temperature"] == 0
    assert results["shot_seeds"] == [3, 4]
    timing = json.loads((out / "timing.json").read_text())["vqav2"]
    assert set(timing) == {"0 shots, seed 3", "2 shots, seed 3", "2 shots, seed 4"}
    assert all(part["seconds_per_item"] > 0 for part in timing.values())


def test_figures_are_averaged_by_name() -> None:
    seeds = [{"a": 1.0, "by": {"x": 2.0}, "name": "n"}, {"a": 3.0, "by": {"x": 4.0}, "name": "n"}]
    assert mean_figures(seeds) == {"a": 2.0, "by": {"x": 3.0}, "name": "n"}
