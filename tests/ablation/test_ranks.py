"""A node of a graph whose trainer wants several processes."""

import sys
from pathlib import Path

import pytest

from tests.training.test_stage import TINY, outputs, tiny_world  # noqa: F401
from vilax.ablation import nodes, ranks
from vilax.ablation.executor import perform
from vilax.artifacts.store import Store
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError
from vilax.config.locate import store_dir
from vilax.config.schema.run import Run
from vilax.training.recipe import stage_identity

ASKED = "evaluation.tasks={text_binding: {kind: binding, items: 4, shots: [2], modality: text}}"


def test_a_stage_is_trained_by_its_processes_and_evaluated_by_one(
    outputs: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = compose_run([*TINY, ASKED, "trainer=ddp", "trainer.devices=2", "until=text"])
    perform("stage", run, "text", 1)
    entry = Store(store_dir()).get("stage", stage_identity(run, "text"))
    assert entry.identity == stage_identity(compose_run([*TINY, "until=text"]), "text")

    def refuse(run: Run, stage: str) -> None:
        pytest.fail("it was trained again")

    monkeypatch.setattr(ranks, "train_in_ranks", refuse)
    perform("stage", run, "text", 1)
    perform("evaluation", run, "text", 1)
    assert nodes.find_evaluation(run, "text") is not None


def test_processes_that_fail_fail_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    run = compose_run([*TINY, "trainer=ddp", "trainer.devices=2", "until=text"])
    with pytest.raises(RuntimeError, match="one of 2 processes of stage text failed"):
        ranks.train_in_ranks(run, "text")


def test_several_machines_are_left_to_srun() -> None:
    run = compose_run([*TINY, "trainer=ddp", "trainer.devices=1", "trainer.nodes=2"])
    with pytest.raises(ConfigError, match=r"trainer.nodes=2.*under srun"):
        ranks.train_in_ranks(run, "text")
