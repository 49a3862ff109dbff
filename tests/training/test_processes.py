"""One process against two with gloo, under DDP and FSDP2: the same losses and weights."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from tests.training.test_stage import TINY
from vilax.config.compose import compose_run
from vilax.training.recipe import stage_identity

# Pictures, pages and text in one blend, the encoder frozen but run, the LLM trained.
BLEND = [
    "stages.pretrain.blend.corpora={pages: 1.0, pairs: 1.0, text: 2.0}",
    "stages.pretrain.blend.streams=2",
    "stages.pretrain.budget.tokens=3000",
    "features.cache=false",
    "until=pretrain",
]


def train(outputs, processes: int, overrides: list[str]) -> None:
    environment = os.environ | {"VILAX_OUTPUTS": str(outputs), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    command += ["vilax.cli.main", "train", *TINY, *BLEND, *overrides]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_find_what_one_finds(tmp_path_factory, tmp_path, strategy: str) -> None:
    identity = None
    found = {}
    shared = tmp_path / "cache"
    shared.mkdir()
    for processes in (1, 2):
        outputs = tmp_path / str(processes)
        outputs.mkdir()
        (outputs / "cache").symlink_to(shared)
        chosen = [] if processes == 1 else [f"trainer={strategy}", "trainer.devices=2"]
        train(outputs, processes, chosen)
        identity = stage_identity(compose_run([*TINY, *BLEND]), "pretrain")
        folder = outputs / "store" / "stage" / identity
        rows = [json.loads(x) for x in (folder / "metrics.jsonl").read_text().splitlines()]
        found[processes] = (rows, load_file(folder / "llm.safetensors"))
    (one, first), (two, second) = found[1], found[2]
    assert [r["supervised"] for r in one] == [r["supervised"] for r in two]
    for before, after in zip(one, two, strict=True):
        assert before["loss"] == pytest.approx(after["loss"], rel=1e-5)
    for name, tensor in first.items():
        assert torch.allclose(tensor, second[name], atol=2e-5), name
