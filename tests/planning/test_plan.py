"""Plans against reality: bytes and FLOPs of real steps on a CPU, and what the command says."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from tests.shrunken import save_encoder, save_llm
from tests.training.test_stage import TINY
from vilax.artifacts import checkpoint
from vilax.cli.main import main
from vilax.config.compose import compose_run
from vilax.models.freeze import apply_freeze
from vilax.planning.blank import blank_model, llm_config
from vilax.planning.counting import count
from vilax.planning.running import Load, peaks
from vilax.planning.work import Mix, flops_per_token
from vilax.training.build import build_model, freeze_plan
from vilax.training.optimisation import build_optimizer
from vilax.training.weights import part_tensors, save_parts

MODELS = {
    "llama": ("lmsys/vicuna-7b-v1.5", []),
    "qwen2": ("Qwen/Qwen2.5-7B", ["stages.pretrain.freeze=projector_only"]),
    "mistral": ("mistralai/Mistral-7B-v0.3", ["stages.pretrain.freeze=lora_llm"]),
    "gemma2": ("google/gemma-2-9b", ["stages.pretrain.freeze=lora_llm"]),
}


def tiny(folder: Path, family: str, layers: int = 6) -> Any:
    source, words = MODELS[family]
    sizes = {"num_hidden_layers": layers, "hidden_size": 128, "intermediate_size": 256}
    if family == "gemma2":
        sizes["layer_types"] = ["sliding_attention", "full_attention"] * (layers // 2)  # type: ignore[assignment]
    llm = save_llm(source, folder / "llm", **sizes)
    tower = save_encoder("openai/clip-vit-large-patch14", folder / "encoder")
    paths = [f"llm={llm}", f"encoder={tower}", "trainer.precision=fp32"]
    return compose_run([*paths, "stages.pretrain.freeze.llm.lora.dropout=0", *words])


@pytest.mark.parametrize("family", MODELS)
def test_weights_gradients_and_optimizer_are_exact(tmp_path: Path, family: str) -> None:
    run = tiny(tmp_path, family)
    stage = run.stages["pretrain"]
    plan = freeze_plan(stage)
    blank = blank_model(run, stage.parts)
    with torch.device("meta"):
        apply_freeze(blank, plan)
    counts = count(blank)
    model, _ = build_model(run, stage.parts, 0, torch.device("cpu"))
    apply_freeze(model, plan)
    optimizer = build_optimizer(model, plan, stage.optimizer)
    step(model, 2, 64).backward()
    optimizer.step()
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    weights += sum(b.numel() * b.element_size() for b in model.buffers())
    gradients = sum(p.grad.numel() * 4 for p in model.parameters() if p.grad is not None)
    state = sum(t.numel() * t.element_size() for s in optimizer.state.values() for t in s.values())
    assert (counts.weights, counts.gradients, counts.optimizer) == (weights, gradients, state)
    # What lies on the disk has headers beside the tensors.
    save_parts({"llm": part_tensors(model.llm)}, None, tmp_path)
    written = (tmp_path / "llm.safetensors").stat().st_size
    if plan["llm"].mode != "frozen":
        assert counts.result - 4 * counts.parts["projector"][0] == pytest.approx(written, rel=0.01)
    kept = checkpoint.save(tmp_path / "resume", 1, model, optimizer, {})
    size = sum(file.stat().st_size for file in kept.glob("*.distcp"))
    tensors = 4 * sum(p.requires_grad for p in model.parameters())
    assert 0 <= size - counts.resume <= 2048 * tensors


def step(model: Any, rows: int, length: int) -> torch.Tensor:
    torch.manual_seed(0)
    tokens = torch.randint(5, 50, (rows, length))
    each = model.tokens_per_view
    tokens[:, 2 : 2 + each] = -200
    labels = torch.full_like(tokens, -100)
    labels[:, -8:] = tokens[:, -8:]
    positions = torch.arange(length).expand(rows, length)
    pixels = torch.zeros(rows, 3, 28, 28)
    return model(tokens, positions, labels, pixels=pixels)  # type: ignore[no-any-return]


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("family", ["llama", "qwen2", "mistral"])
def test_activations_are_what_the_allocator_gave(
    tmp_path: Path, family: str, checkpointing: bool
) -> None:
    run = tiny(tmp_path, family)
    stage = run.stages["pretrain"]
    plan = freeze_plan(stage)
    rows, length = 8, 192
    load = Load(rows, length, rows, 8 * rows, 4096, checkpointing, bf16=False, halved=False)
    planned = peaks(run, stage, plan, load).activations
    model, _ = build_model(run, stage.parts, 0, torch.device("cpu"))
    apply_freeze(model, plan)
    if checkpointing:
        model.llm.net.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        model.llm.train()
    # Gradients of weights are counted apart: they are there before the step that is measured.
    step(model, rows, length).backward()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        step(model, rows, length).backward()
    now = most = 0
    for event in sorted(trace.profiler.kineto_results.events(), key=lambda e: e.start_ns()):  # type: ignore[union-attr]
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    assert planned == pytest.approx(most, rel=0.10)


def test_a_deep_llm_is_extrapolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tiny(tmp_path, "llama", layers=12)
    stage = run.stages["pretrain"]
    for checkpointing in (False, True):
        load = Load(4, 128, 4, 32, 4096, checkpointing, bf16=True, halved=True)
        found = peaks(run, stage, freeze_plan(stage), load).activations
        with monkeypatch.context() as patched:
            patched.setattr("vilax.planning.running.WHOLE", 12)
            whole = peaks(run, stage, freeze_plan(stage), load).activations
        assert found == pytest.approx(whole, rel=0.02)


def test_flops_are_what_torch_counts(tmp_path: Path) -> None:
    run = tiny(tmp_path, "llama")
    stage = run.stages["pretrain"]
    plan = freeze_plan(stage)
    model, _ = build_model(run, stage.parts, 0, torch.device("cpu"))
    apply_freeze(model, plan)
    rows, length = 2, 64
    # The fused kernels of a CPU are not in torch's table of FLOPs.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step(model, rows, length).backward()
    config = llm_config(run.llm)
    # torch counts attention over the whole square, we half of it: twice the length makes up.
    mix = Mix(rows / (rows * length), 8 / length, 2 * length, "")
    planned = flops_per_token(model, config, plan, count(model), mix, False) * rows * length
    assert planned == pytest.approx(counter.get_total_flops(), rel=0.1)


def test_a_7b_recipe_is_planned_in_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    # Of this process, which other work on the machine does not lengthen much.
    began = time.process_time()
    words = ["recipe=vila", "llm=llama2_7b", "encoder=clip_l_336", "gpus=8", "--json"]
    assert main(["plan", *words]) == 1
    assert time.process_time() - began < 20
    found = json.loads(capsys.readouterr().out)
    stages = {one["name"]: one for one in found["stages"][""]}
    assert list(stages) == ["align", "pretrain", "sft"]
    assert stages["align"]["counts"]["parts"] == {
        "encoder": [303_507_456, 0],
        "projector": [4_198_400, 4_198_400],
        "llm": [6_738_415_616, 0],
    }
    # 6.74 + 0.3 billion weights in fp32 over 8 ranks.
    assert stages["pretrain"]["memory"]["weights"] == pytest.approx(4 * 7.046e9 / 8, rel=0.01)
    assert not stages["pretrain"]["fits"]
    for fix in stages["pretrain"]["fixes"]:
        assert fix["peak"] <= 0.94 * 80 * 2**30
    assert (
        main(["plan", *words, "trainer.activation_checkpointing=true", "trainer.micro_rows=4"]) == 0
    )


def test_devices_of_the_trainer_are_planned(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = [
        "trainer=fsdp",
        "trainer.devices=8",
        "trainer.precision=bf16",
        "trainer.micro_rows=1",
    ]
    main(["plan", "scale=paper", "until=align", *trainer, "--json"])
    (one,) = json.loads(capsys.readouterr().out)["stages"][""]
    assert one["setting"]["gpus"] == 8
    assert one["memory"]["weights"] == pytest.approx(4 * 7.046e9 / 8, rel=0.01)
    main(["plan", "scale=paper", "until=align", *trainer, "trainer.shard_degree=2", "--json"])
    (two,) = json.loads(capsys.readouterr().out)["stages"][""]
    assert two["memory"]["weights"] == pytest.approx(4 * one["memory"]["weights"], rel=0.01)


def test_arms_share_stages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "freezing", "gpus=64", "gpu=a100-80g", "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert found["shared"]["distinct"] < found["shared"]["stages"]
    assert found["shared"]["gpu_hours_saved"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gpu=h100"], "h100-80g"),
        (["gpus=none"], "expected a number"),
        (["gpus=0"], "at least 1"),
        (["frezing"], "freezing"),
        (["used=1.5"], "expected a share"),
    ],
)
def test_bad_requests(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *words]) == 2
    assert message in capsys.readouterr().err


def test_micro_is_planned_from_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    assert main(["plan", *TINY, "order=[align]"]) == 0
    said = capsys.readouterr()
    assert "fits" in said.out and "64 rows of the data" in said.err
