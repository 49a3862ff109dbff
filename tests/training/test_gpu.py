"""What only a GPU can show: the same losses on CUDA as on the CPU, in fp32 and near in bf16."""

import json

import pytest
import torch

from tests.training.test_stage import TINY
from vilax.config.compose import compose_run
from vilax.training.recipe import run_recipe

pytestmark = pytest.mark.gpu

CUDA = [word for word in TINY if not word.startswith(("trainer.accelerator", "trainer.precision"))]


def losses(monkeypatch, folder, overrides: list[str]) -> list[float]:
    monkeypatch.setenv("VILAX_OUTPUTS", str(folder))
    entry = run_recipe(compose_run([*overrides, "until=align"]))[-1]
    rows = (entry.folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(row)["loss"] for row in rows]


def test_cuda_finds_what_the_cpu_finds(monkeypatch, tmp_path) -> None:
    assert torch.cuda.is_available()
    cpu = losses(monkeypatch, tmp_path / "cpu", TINY)
    exact = losses(monkeypatch, tmp_path / "cuda", [*CUDA, "trainer.precision=fp32"])
    assert exact == pytest.approx(cpu, rel=1e-3)
    close = losses(monkeypatch, tmp_path / "bf16", [*CUDA, "trainer.precision=bf16"])
    assert close == pytest.approx(cpu, rel=5e-2)


def test_fsdp_on_one_gpu_finds_what_the_cpu_finds(monkeypatch, tmp_path) -> None:
    cpu = losses(monkeypatch, tmp_path / "cpu", TINY)
    sharded = [*CUDA, "trainer=fsdp", "trainer.devices=1", "trainer.precision=fp32"]
    assert losses(monkeypatch, tmp_path / "fsdp", sharded) == pytest.approx(cpu, rel=1e-3)
    # Weights on the host, gathered to the GPU block by block; gradients and the step on the host.
    words = [*sharded, "trainer.offload=true", "trainer.micro_rows=2", "features.cache=false"]
    assert losses(monkeypatch, tmp_path / "host", words) == pytest.approx(cpu, rel=1e-3)
