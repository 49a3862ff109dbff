"""Evaluate, score and show a trained result as a user does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation.benchmark_files import WRITERS
from tests.training.test_stage import TINY
from vilax.artifacts.store import Store
from vilax.cli.main import main


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny trained recipe."""
    folder = tmp_path_factory.mktemp("outputs")
    words = [sys.executable, "-m", "vilax.cli.main", "train", *TINY, "logger=disabled"]
    words += ["llm.max_position_embeddings=2048"]
    done = subprocess.run(
        words, env=os.environ | {"VILAX_OUTPUTS": str(folder)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("benchmarks")
    for name in ("pope_random", "vqav2", "mm_vet"):
        WRITERS[name](root)
    return root


@pytest.fixture
def model(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("VILAX_OUTPUTS", str(outputs))
    stages = [entry for entry in Store(outputs / "store").entries() if entry.kind == "stage"]
    return stages[-1].identity[:12]


def folder_of(shown: str) -> Path:
    return Path(shown.strip().splitlines()[-1].split()[1])


def test_a_result_is_asked_benchmarks_by_its_identity(model, benchmarks, capsys) -> None:
    words = ["evaluate", model, "task=pope_random,vqav2,vqav2_test,mm_vet", "--limit", "6"]
    words += [f"evaluation.benchmarks={benchmarks}"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "drawn by a fixed" in shown.err
    folder = folder_of(shown.out)
    results = json.loads((folder / "results.json").read_text())
    assert set(results["tasks"]) == {"pope_random", "vqav2", "vqav2_test", "mm_vet"}
    assert results["tasks"]["mm_vet"]["judge_protocol"] == "mm_vet"
    assert (folder / "submission" / "vqav2_test.json").is_file()
    assert main(words) == 0
    assert folder_of(capsys.readouterr().out) == folder

    # The same through vilax score, on the predictions that were kept.
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").open()]
    made = benchmarks / "made.json"
    said = {row["id"]: row["answer"] for row in rows if row["task"] == "vqav2"}
    made.write_text(json.dumps(said))
    names = ("questions", "annotations")
    given = [
        benchmarks / "vqav2" / f"v2_{'OpenEnded_' * (n == 'questions')}mscoco_val2014_{n}.json"
        for n in names
    ]
    asked = ["score", "vqav2", "--predictions", str(made), "--annotations", str(given[0])]
    assert main([*asked, "--annotations", f"annotation={given[1]}"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["items"] == 12 and scored["without_prediction"] == 12 - len(said)


def test_two_processes_are_one(model, benchmarks, outputs, capsys) -> None:
    shared = ["evaluate", model, "task=vqav2", f"evaluation.benchmarks={benchmarks}"]
    found = []
    for processes in (1, 2):
        assert main([*shared, "evaluation.batch=2", f"evaluation.processes={processes}"]) == 0
        folder = folder_of(capsys.readouterr().out)
        found.append([(folder / n).read_bytes() for n in ("results.json", "predictions.jsonl")])
        store = Store(outputs / "store")
        store.remove(store.resolve(folder.name))
    assert found[0] == found[1]


def test_missing_data_is_said_before_anything_is_loaded(model, tmp_path, capsys) -> None:
    assert main(["evaluate", model, "suite=video", f"evaluation.benchmarks={tmp_path}"]) == 2
    said = capsys.readouterr().err
    assert "8 of 8 tasks" in said and "licence" in said and "perception_test" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=pope_randm"], "did you mean 'pope_random'"),
        (["suite=papermain"], "did you mean 'paper_main'"),
        (["projector=mlp"], "is trained already"),
        (["--limit", "none"], "at least 1"),
    ],
)
def test_bad_requests(model, words, said, capsys) -> None:
    assert main(["evaluate", model, *words]) == 2
    assert said in capsys.readouterr().err


def test_a_gallery_of_two_runs_is_one_page(model, outputs, tmp_path, capsys) -> None:
    stages = [e.identity for e in Store(outputs / "store").entries() if e.kind == "stage"]
    assert main(["gallery", stages[-1], stages[-2], "--to", str(tmp_path)]) == 0
    page = (tmp_path / "gallery.html").read_text()
    assert page.count("<article") == 8
    assert page.count("<dt>") == 16
    assert "http" not in page.replace("http-equiv", "")
    answers = json.loads((tmp_path / "answers.json").read_text())
    assert len(answers) == 2 and all(len(each) == 8 for each in answers.values())
