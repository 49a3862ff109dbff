"""One process against several with gloo, under DDP and FSDP2: the same losses and weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.training.test_stage import TINY
from vilax.config.compose import compose_run
from vilax.models.visual_expert import TWIN
from vilax.training.recipe import run_recipe, stage_identity

# Pictures, pages and text in one blend, the encoder frozen but run, the LLM trained.
BLEND = [
    "stages.pretrain.blend.corpora={pages: 1.0, pairs: 1.0, text: 2.0}",
    "stages.pretrain.blend.streams=2",
    "stages.pretrain.budget.tokens=3000",
    "features.cache=false",
    "until=pretrain",
]
# Rows so short that in some steps one of two processes has no picture.
EXPERT = [
    "stages.pretrain.freeze=visual_expert",
    "stages.pretrain.length=32",
    "stages.pretrain.budget.tokens=1200",
]
# Rows for four processes, two each.
WIDE = [f"stages.{name}.blend.streams=4" for name in ("text", "align", "pretrain", "sft")]
WIDE += ["stages.pretrain.batch=8"]


def launch(outputs: Path, module: str, *words: str, processes: int = 2) -> None:
    """Run a module in several processes."""
    environment = os.environ | {"VILAX_OUTPUTS": str(outputs), "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, f"--nproc-per-node={processes}", "-m", module, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def result(outputs: Path, stage: str, words: list[str]) -> Path:
    identity = stage_identity(compose_run([*TINY, *BLEND, *words]), stage)
    return outputs / "store" / "stage" / identity


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def llm(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "llm.safetensors")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny world, which is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """What one process finds, the LLM trained, also on more rows, and with visual experts beside
    a frozen one."""
    outputs = tmp_path_factory.mktemp("alone")
    (outputs / "cache").symlink_to(shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VILAX_OUTPUTS", str(outputs))
        for words in ([], WIDE, EXPERT):
            run_recipe(compose_run([*TINY, *BLEND, *words]))
    return outputs


@pytest.fixture
def outputs(tmp_path: Path, shared: Path) -> Path:
    (tmp_path / "cache").symlink_to(shared)
    return tmp_path


def assert_same(first: Path, second: Path) -> None:
    """Losses, and weights of the LLM."""
    one, two = rows(first), rows(second)
    assert [r["supervised"] for r in one] == [r["supervised"] for r in two]
    for before, after in zip(one, two, strict=True):
        assert before["loss"] == pytest.approx(after["loss"], rel=1e-5)
    found = llm(second)
    assert llm(first).keys() == found.keys()
    for name, tensor in llm(first).items():
        assert torch.allclose(tensor, found[name], atol=2e-5), name


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_find_what_one_finds(alone: Path, outputs: Path, strategy: str) -> None:
    chosen = [f"trainer={strategy}", "trainer.devices=2"]
    launch(outputs, "vilax.cli.main", "train", *TINY, *BLEND, *chosen)
    assert_same(result(alone, "pretrain", []), result(outputs, "pretrain", []))


@pytest.mark.parametrize(
    ("processes", "words"),
    [
        # On a CPU offloading changes places to the same place: what it takes runs, nothing moves.
        (2, ["trainer.offload=true", "trainer.reduce_once=true"]),
        (4, ["trainer.shard_degree=2"]),
    ],
)
def test_other_ways_of_sharding_find_what_one_process_finds(
    alone: Path, outputs: Path, processes: int, words: list[str]
) -> None:
    """Two micro-batches a step, interrupted behind a checkpoint and resumed."""
    chosen = ["trainer=fsdp", f"trainer.devices={processes}", "trainer.micro_rows=1", *words]
    chosen += ["trainer.checkpoint_seconds=0.000001"]
    words = [*TINY, *BLEND, *WIDE, *chosen]
    launch(outputs, "tests.training.interrupted", "pretrain", "2", *words, processes=processes)
    assert_same(result(alone, "pretrain", WIDE), result(outputs, "pretrain", WIDE))


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_features_may_be_cached_meanwhile(alone: Path, tmp_path: Path, strategy: str) -> None:
    """Each process meets other new pictures; every other step measures with the encoder too."""
    chosen = [f"trainer={strategy}", "trainer.devices=2", "trainer.checkpoint_seconds=0.000001"]
    chosen += ["features.cache=true", "measures.every_steps=2"]
    words = [*TINY, *BLEND, *chosen]
    launch(tmp_path, "tests.training.interrupted", "pretrain", "3", *words)
    assert_same(result(alone, "pretrain", []), result(tmp_path, "pretrain", []))
    assert list((tmp_path / "cache" / "features").glob("*/*.safetensors"))


def test_sharded_experts_are_resumed_and_leave_the_llm_alone(alone: Path, outputs: Path) -> None:
    """Interrupted behind a checkpoint and resumed, two processes find what one found in one go."""
    (outputs / "store").symlink_to(alone / "store")
    whole = result(alone, "pretrain", EXPERT)
    kept = whole.rename(alone / "whole")
    chosen = ["trainer=fsdp", "trainer.devices=2", "trainer.checkpoint_seconds=0.000001"]
    words = [*TINY, *BLEND, *EXPERT, *chosen]
    launch(outputs, "tests.training.interrupted", "pretrain", "3", *words)
    assert_same(kept, whole)
    before, after = llm(result(alone, "align", EXPERT)), llm(whole)
    assert before.keys() == {name for name in after if TWIN not in name}
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    moved = [n for n in after if TWIN in n and not torch.equal(after[n], before[_own(n)])]
    assert len(moved) == sum(TWIN in name for name in after) > 0


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_sharded_adapters_are_merged_as_those_of_one_process(
    outputs: Path, tmp_path_factory: pytest.TempPathFactory, shared: Path, method: str
) -> None:
    words = [f"stages.pretrain.freeze={method}_llm", "stages.pretrain.freeze.llm.lora.dropout=0"]
    alone = tmp_path_factory.mktemp("alone_adapted")
    (alone / "cache").symlink_to(shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VILAX_OUTPUTS", str(alone))
        run_recipe(compose_run([*TINY, *BLEND, *words]))
    chosen = ["trainer=fsdp", "trainer.devices=2", "trainer.checkpoint_seconds=0.000001"]
    launch(outputs, "tests.training.interrupted", "pretrain", "3", *TINY, *BLEND, *words, *chosen)
    one, two = result(alone, "pretrain", words), result(outputs, "pretrain", words)
    assert_same(one, two)
    before, after = (load_file(folder / "adapter.safetensors") for folder in (one, two))
    assert before.keys() == after.keys() and any(f"{method}_" in n or "lora_" in n for n in before)
    for name, tensor in before.items():
        assert torch.allclose(tensor, after[name], atol=2e-5), name
    moved = load_file(result(alone, "align", words) / "llm.safetensors")
    assert any(not torch.allclose(moved[n], t, atol=1e-4) for n, t in llm(two).items())


def _own(name: str) -> str:
    """The LLM's own weight that a twin began as."""
    return name.replace(f".{TWIN}", "")
