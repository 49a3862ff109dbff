"""The comparison as a user runs it, killed in the middle, on a tiny world."""

import json
import os
import signal
import subprocess
import sys
import time

from tests.training.test_stage import TINY

ASKED = ("relation", "relation_unseen", "binding")
SMALL = [
    *(word for word in TINY if not word.startswith("trainer.log")),
    *(f"evaluation.tasks.{task}.items=4" for task in ("open_answer", "caption", "classify")),
    *(f"evaluation.tasks.{task}.items=8" for task in ASKED),
    *(f"evaluation.tasks.text_{task}.items=8" for task in ASKED),
    "evaluation.tasks.open_answer.shots=[0, 4]",
    "evaluation.tasks.caption.shots=[0, 4]",
    "trainer.checkpoint_seconds=0.2",
]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "vilax.cli.main", "compare", "freezing", *SMALL, *words]


def environment(outputs) -> dict[str, str]:
    return os.environ | {"VILAX_OUTPUTS": str(outputs), "WANDB_MODE": "offline"}


def scores(outputs) -> dict:
    report = json.loads((outputs / "report" / "micro" / "report.json").read_text())
    return {arm: facts["seeds"] for arm, facts in report["comparisons"]["freezing"]["arms"].items()}


def test_killed_and_started_again_it_ends_with_the_same_scores(tmp_path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = subprocess.run(command(), env=environment(whole), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("report.html")
    expected = scores(whole)
    assert list(expected) == ["a", "b", "c", "d"]

    process = subprocess.Popen(command(), env=environment(killed), start_new_session=True)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        # Somewhere in the middle of a stage behind the first.
        if any((killed / "store").glob("work/*/resume/step-*")) and any(
            (killed / "store" / "stage").glob("*")
        ):
            break
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = subprocess.run(command(), env=environment(killed), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-3000:]
    assert scores(killed) == expected

    third = subprocess.run(command(), env=environment(killed), capture_output=True, text=True)
    assert third.returncode == 0
    assert "training" not in third.stderr
    folder = killed / "report" / "micro"
    page = (folder / "freezing.html").read_text()
    for word in ("undecided", "needs 5 seeds", "vilax evaluate"):
        assert word in page
    index = (folder / "report.html").read_text()
    assert "freezing.html" in index and "corpus.html" in index
    assert "data-refresh=" not in index
