"""A comparison as a user runs it, killed in the middle, on a tiny world."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.test_stage import TINY

COMPARISON = """
title: One layer or two
question: Is a second layer in the projector worth having?
base:
  recipe: vila
  evaluation.tasks:
    open_answer: {kind: open_answer, items: 4, shots: [0, 2]}
    relation: {kind: relation, items: 4, shots: [0, 2]}
    text_relation: {kind: relation, modality: text, items: 4, shots: [0, 2]}
varies: [projector]
stage: align
endpoints:
  score: {title: Both tasks, tasks: [open_answer, relation]}
  alignment: {title: Alignment, measure: alignment}
controls: {relation: text_relation}
control_stage: text
claims:
  two:
    {kind: order, text: Two win., paper: "", endpoint: score, k: 2, higher: mlp, lower: linear}
  deeper:
    {kind: order, text: Two align more., paper: "", endpoint: alignment, higher: mlp, lower: linear}
paper: {source: none, columns: [], rows: {}}
"""


@pytest.fixture
def comparison(tmp_path: Path) -> Path:
    folder = tmp_path / "layers"
    (folder / "arms").mkdir(parents=True)
    (folder / "comparison.yaml").write_text(COMPARISON)
    for arm in ("linear", "mlp"):
        text = f"title: Projector {arm}\noverrides: {{projector: {arm}}}\n"
        (folder / "arms" / f"{arm}.yaml").write_text(text)
    return folder


def command(comparison: Path, *words: str) -> list[str]:
    tiny = [word for word in TINY if not word.startswith("trainer.log")]
    # Long enough to be killed in the middle of it on a fast machine too.
    tiny += ["trainer.checkpoint_seconds=0.2", "stages.align.budget.tokens=30000"]
    return [sys.executable, "-m", "vilax.cli.main", "compare", str(comparison), *tiny, *words]


def environment(outputs: Path) -> dict[str, str]:
    return os.environ | {"VILAX_OUTPUTS": str(outputs), "WANDB_MODE": "offline"}


def scores(outputs: Path) -> dict:
    report = json.loads((outputs / "report" / "micro" / "report.json").read_text())
    return {arm: facts["seeds"] for arm, facts in report["comparisons"]["layers"]["arms"].items()}


def test_killed_and_started_again_it_ends_with_the_same_scores(tmp_path, comparison) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = subprocess.run(
        command(comparison), env=environment(whole), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("report.html")
    expected = scores(whole)
    assert list(expected) == ["linear", "mlp"]

    killed.mkdir()
    # The tiny world and the features of its pictures are not what is tried here.
    (killed / "cache").symlink_to(whole / "cache")
    # What is left out, dashboards, changes no result.
    words = command(comparison, "logger=disabled")
    process = subprocess.Popen(words, env=environment(killed), start_new_session=True)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        # Somewhere in the middle of a stage behind the first.
        if any((killed / "store").glob("work/*/resume/step-*")) and any(
            (killed / "store" / "stage").glob("*")
        ):
            break
        time.sleep(0.02)
    assert process.poll() is None, "it was over before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = subprocess.run(words, env=environment(killed), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-3000:]
    assert scores(killed) == expected

    third = subprocess.run(words, env=environment(killed), capture_output=True, text=True)
    assert third.returncode == 0, third.stderr[-3000:]
    assert "training" not in third.stderr
    folder = killed / "report" / "micro"
    page = (folder / "layers.html").read_text()
    for word in ("undecided", "needs 5 seeds", "vilax evaluate"):
        assert word in page
    index = (folder / "report.html").read_text()
    assert "layers.html" in index and "corpus.html" in index
    assert "data-refresh=" not in index
