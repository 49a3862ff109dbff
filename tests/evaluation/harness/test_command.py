"""``vilax harness``: results and samples on disk, bad requests said in words."""

import json
import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import lm_eval.tasks
import numpy as np
import pytest
import yaml

from vilax.ablation import subject as ablation
from vilax.cli.main import main
from vilax.evaluation.harness.results import plain


@pytest.fixture(autouse=True)
def _opened(subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, entry = SimpleNamespace(name="tiny"), SimpleNamespace(identity="1a2b" * 8)
    monkeypatch.setattr(ablation, "find_result", lambda model: (run, "sft", entry))
    monkeypatch.setattr(ablation, "open_subject", lambda model: subject)
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(os, "environ", dict(os.environ))


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A task of the same content for each harness."""
    (tmp_path / "items.json").write_text(
        json.dumps([{"q": f"what is {word} ?", "a": word} for word in ("this", "it", "a cat")])
    )
    shared = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "items.json")}},
        "test_split": "test", "output_type": "generate_until", "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
        "generation_kwargs": {"max_new_tokens": 3, "do_sample": True, "temperature": 0.5},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }  # fmt: skip
    folder = tmp_path / "tasks"
    folder.mkdir()
    for task in ("mine", "other"):
        (folder / f"{task}.yaml").write_text(yaml.safe_dump(shared | {"task": task}))
    return folder


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["harness", *words]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("harness", ["lm-eval", "lmms-eval"])
def test_results_and_samples_are_written(harness, tasks, tmp_path, capsys) -> None:
    words = [harness, "1a2b", "--tasks", "mine,other", "--include-path", str(tasks)]
    words += ["--limit", "2", "--gen-kwargs", "do_sample=False,temperature=0,max_new_tokens=2"]
    assert main(["harness", *words]) == 0
    shown = capsys.readouterr()
    folder = Path(shown.out.strip().splitlines()[-1])
    assert folder.parent == tmp_path / "outputs" / "harness"
    assert "exact_match" in shown.out and "--limit 2" in shown.err
    results = json.loads((folder / "results.json").read_text())
    assert "exact_match,none" in results["results"]["mine"]
    assert results["vilax"]["model"] == {"identity": "1a2b" * 8, "run": "tiny", "stage": "sft"}
    assert results["vilax"]["harness"]["name"] == harness
    assert results["vilax"]["call"]["limit"] == 2
    for task in ("mine", "other"):
        lines = (folder / f"samples_{task}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        assert sorted(row["doc"]["q"] for row in rows) == ["what is it ?", "what is this ?"]
        assert all(isinstance(row["resps"][0][0], str) for row in rows)
    assert os.environ["HF_HUB_OFFLINE"] == os.environ["HF_DATASETS_OFFLINE"] == "1"


def test_a_task_that_samples_is_refused_with_what_helps(tasks, capsys) -> None:
    words = ["lm-eval", "1a2b", "--tasks", "mine", "--include-path", str(tasks)]
    assert "--gen-kwargs do_sample=False" in said(words, capsys)


def test_a_task_that_does_not_exist_is_named(tasks, monkeypatch, capsys) -> None:
    # To look through all of its own tasks takes lm-eval many seconds.
    own = partial(lm_eval.tasks.TaskManager, include_defaults=False)
    monkeypatch.setattr(
        lm_eval.tasks,
        "TaskManager",
        lambda include_path, include_defaults=True: own(include_path=include_path),
    )
    words = ["lm-eval", "1a2b", "--tasks", "mine,otherr", "--include-path", str(tasks)]
    error = said(words, capsys)
    assert "unknown task 'otherr'" in error and "did you mean 'other'" in error


def test_data_that_are_not_here_are_said_to_be_missing(tasks, capsys) -> None:
    task = yaml.safe_load((tasks / "mine.yaml").read_text())
    for path, name in (("nobody/no-such-data", "far"), ("json", "near")):
        task |= {"dataset_path": path, "task": name, "dataset_kwargs": {}}
        if path == "json":
            task["dataset_kwargs"] = {"data_files": {"test": str(tasks / "gone.json")}}
        (tasks / f"{name}.yaml").write_text(yaml.safe_dump(task))
        words = ["lm-eval", "1a2b", "--tasks", name, "--include-path", str(tasks)]
        assert "--online" in said(words, capsys)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["lmms-eval", "m", "--tasks", "a", "--shots", "2"], "shots"),
        (["lm-eval", "m", "--tasks", "a", "--include-path", "nowhere"], "nowhere"),
    ],
)
def test_bad_requests_are_said_in_words(words, part, capsys) -> None:
    assert part in said(words, capsys)


def test_several_processes_are_refused(monkeypatch, capsys) -> None:
    os.environ["WORLD_SIZE"] = "2"
    assert "one process" in said(["lm-eval", "m", "--tasks", "a"], capsys)


@pytest.mark.parametrize("harness", ["lm-eval", "lmms-eval"])
def test_a_harness_that_is_not_installed_is_named_with_its_command(
    harness, monkeypatch, capsys
) -> None:
    monkeypatch.setitem(sys.modules, harness.replace("-", "_"), None)
    error = said([harness, "m", "--tasks", "a"], capsys)
    assert "pip install" in error and harness in error


def test_what_json_lacks_becomes_plain() -> None:
    found = plain({1: np.float64(0.5), "a": np.arange(2), "f": plain, "s": {2, 1}, "b": b"x"})
    assert found == {
        "1": 0.5, "a": [0, 1], "b": "<bytes>", "s": [1, 2],
        "f": "vilax.evaluation.harness.results.plain",
    }  # fmt: skip
