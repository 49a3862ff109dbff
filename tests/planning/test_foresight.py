"""What a run is told before it starts, on devices of sizes that are made up."""

import os
from pathlib import Path

import pytest

from tests.training.test_stage import TINY
from vilax.cli.main import main
from vilax.config.compose import compose_run
from vilax.planning import foresight
from vilax.planning.foresight import fullest, host_memory, misfits
from vilax.planning.plan import memory_planner
from vilax.planning.setting import setting_of

MIB = 2**20


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, size: int, *words: str) -> list[str]:
    monkeypatch.setattr(foresight, "host_memory", lambda trainer: size)
    return list(misfits(compose_run([*TINY, *words])))


def test_each_stage_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["stages.text.batch=64", "kernels.loss_chunk=256", "until=align"]
    assert said(monkeypatch, 16 * 1024 * MIB, *words) == []
    (text,) = (one for one in said(monkeypatch, 30 * MIB, *words) if "stage text" in one)
    assert text.startswith("stage text: does NOT fit")
    assert "of 30.0 MiB" in text and "fits with trainer.micro_rows=" in text
    assert "activations" in text and "64 rows of the data" in text
    # Host memory is all that a CPU has: weights cannot be moved there, nor processes added.
    (tiny,) = [one for one in said(monkeypatch, MIB // 4, *words) if "stage text" in one]
    assert "no change of rows" in tiny and "offload=" not in tiny and "gpus=" not in tiny


def test_what_is_said_is_what_the_plan_says(monkeypatch: pytest.MonkeyPatch) -> None:
    run = compose_run([*TINY, "until=text"])
    planner = memory_planner(run, "text")
    setting = setting_of(run.trainer, run.stages["text"], 1)
    peak = planner.memory(setting).peak
    assert said(monkeypatch, int(peak / 0.94) + 2, "until=text") == []
    assert len(said(monkeypatch, int(peak / 0.94) - 2, "until=text")) == 1


def test_train_warns_and_trains_then_says_nothing_of_what_is_stored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(foresight, "host_memory", lambda trainer: MIB)
    words = ["train", *TINY, "until=text", "logger.wandb=disabled"]
    assert main(words) == 0
    assert "warning: stage text: does NOT fit" in capsys.readouterr().err
    assert main(words) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("scale", ["micro", "mini", "paper"])
def test_what_is_not_looked_into_is_small(scale: str) -> None:
    run = compose_run([f"scale={scale}", "trainer.precision=bf16"])
    for name in run.order:
        setting = setting_of(run.trainer, run.stages[name], 64 if scale == "paper" else 1)
        planner = memory_planner(run, name, fullest)
        assert planner.at_most(setting) > planner.memory(setting).peak


def test_host_memory_is_shared_and_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(foresight, "CONTAINER", (str(limit),))
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    single = compose_run([]).trainer
    assert host_memory(single) == whole
    limit.write_text("max\n")
    assert host_memory(single) == whole
    limit.write_text(f"{512 * MIB}\n")
    assert host_memory(single) == 512 * MIB
    assert host_memory(compose_run(["trainer=ddp", "trainer.devices=2"]).trainer) == 256 * MIB
