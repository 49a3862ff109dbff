"""An evaluation's identity changes when, and only when, something that matters changes."""

from pathlib import Path
from typing import Any

import pytest

from vilax.artifacts.identity import identity
from vilax.config.compose import compose_run
from vilax.evaluation.identity import asked_tasks, evaluation_inputs, folder_fingerprint

FREE = ["evaluation.batch=7", "evaluation.data=elsewhere"]
MATTERS = [
    "evaluation.seed=3",
    "evaluation.tasks.caption.items=9",
    "evaluation.tasks.caption.max_new_tokens=9",
    "evaluation.tasks.relation.shots=[0,3]",
]


def of(*overrides: str, has_images: bool = True, **changes: Any) -> str:
    run = compose_run(list(overrides))
    given = {"stage": "sft", "stage_identity": "abc", "data": "micro", "has_images": has_images}
    return identity(evaluation_inputs(run, **(given | changes)))


@pytest.mark.parametrize("override", FREE)
def test_what_only_executes_is_free(override: str) -> None:
    assert of(override) == of()


@pytest.mark.parametrize("override", MATTERS)
def test_what_is_asked_matters(override: str) -> None:
    assert of(override) != of()


def test_model_data_and_seed_matter() -> None:
    every = [of(), of(stage_identity="other"), of(data="other"), of(has_images=False), of("seed=9")]
    assert len(set(every)) == len(every)
    assert of("seed=9") == of("evaluation.seed=9")


def test_a_text_only_model_is_asked_text_tasks_alone() -> None:
    run = compose_run([])
    assert set(asked_tasks(run, True)) == set(run.evaluation.tasks)
    assert asked_tasks(run, False)
    assert all(run.evaluation.tasks[t].modality == "text" for t in asked_tasks(run, False))  # type: ignore[union-attr]


def test_a_folders_fingerprint_is_its_content(tmp_path: Path) -> None:
    prints = []
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "items.jsonl").write_text(text)
        prints.append(folder_fingerprint(tmp_path / name))
    assert prints[0] == prints[1] != prints[2]
