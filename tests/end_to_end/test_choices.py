"""Every choice under conf/ composes; every model, freeze policy and projector of them trains."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.shrunken import save_encoder, save_llm, shrink_timm
from vilax.config.compose import compose_run, compose_task
from vilax.config.locate import conf_dir
from vilax.config.schema.run import Run
from vilax.models.freeze import apply_freeze
from vilax.models.vlm import IGNORE, IMAGE_TOKEN
from vilax.training.build import build_model, freeze_plan
from vilax.training.optimisation import build_optimizer

CHOICES = sorted(
    (file.parent.name, file.stem)
    for file in conf_dir().glob("*/*.yaml")
    if file.parent.name not in ("task", "format", "gallery")
)
TASKS = sorted(file.stem for file in conf_dir().glob("task/*.yaml"))
LARGE = {"encoder": "clip_l_336", "llm": "llama2_7b"}


def words(group: str, name: str) -> Iterator[str]:
    if group == "freeze":
        yield f"stages.pretrain.freeze={name}"
    elif group == "blend":
        if name != "text":
            yield f"stages.pretrain.blend={name}"
    else:
        yield f"{group}={name}"
    if (group, name) == ("trainer", "ddp") or (group, name) == ("trainer", "fsdp"):
        yield "trainer.devices=1"


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_composes(group: str, name: str) -> None:
    run = compose_run(list(words(group, name)))
    assert isinstance(run, Run)
    assert run.order


RELEASED = {
    "vila1_5_3b": ("Sheared-LLaMA-2.7B", "siglip", "vicuna_v1", 1024, 1e-4),
    "vila1_5_3b_s2": ("Sheared-LLaMA-2.7B", "siglip", "vicuna_v1", 1024, 1e-4),
    "vila1_5_8b": ("Llama-3-8B", "siglip", "llama_3", 256, 1e-4),
    "vila1_5_13b": ("vicuna-13b", "siglip", "vicuna_v1", 256, 1e-4),
    "vila1_5_40b": ("Yi-34B", "InternViT-6B", "hermes-2", 128, 2e-5),
}


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_model_is_one_word(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = compose_run([f"recipe={name}"])
    llm, encoder, template, batch, rate = RELEASED[name]
    assert llm in run.llm.source and encoder in run.encoder.source
    assert (run.scale, run.projector.kind) == ("paper", "mlp_downsample")
    assert run.encoder.image_policy == "resize"
    sft = run.stages["sft"]
    assert run.template_of("sft") == template
    assert (sft.batch, sft.rates.encoder, sft.rates.llm) == (batch, rate, rate)
    assert [run.stages[s].freeze.encoder.mode for s in run.order] == ["frozen", "frozen", "trained"]
    assert [run.stages[s].length for s in run.order] == [4096] * 3
    # Other words still win.
    other = compose_run([f"recipe={name}", "llm=llama2_7b", "stages.sft.batch=64"])
    assert "Llama-2-7b" in other.llm.source and other.stages["sft"].batch == 64

    small = [f"llm.source={save_llm(run.llm.source, tmp_path / 'llm')}"]
    small += [f"encoder.source={save_encoder(run.encoder.source, tmp_path / 'encoder')}"]
    small += ["encoder.scales=[28,56]"] if run.encoder.scales else []
    run = compose_run([f"recipe={name}", *small])
    plan = freeze_plan(run.stages["sft"])
    model, tokenizer = build_model(run, run.stages["sft"].parts, 0, torch.device("cpu"))
    apply_freeze(model, plan)
    _loss(model, len(tokenizer)).backward()
    for part in (model.encoder, model.projector, model.llm):
        assert any(p.grad is not None and bool(p.grad.any()) for p in part.parameters())


@pytest.mark.parametrize("name", TASKS)
def test_a_task_composes(name: str) -> None:
    run = compose_run([], tasks=dict([compose_task(name)]))
    assert list(run.evaluation.tasks) == [name]


@pytest.mark.parametrize(
    ("group", "name"), [c for c in CHOICES if c[0] in ("encoder", "llm", "projector", "freeze")]
)
def test_starts_small(
    group: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink_timm(monkeypatch)
    texts = list(words(group, name))
    content = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text())
    if group == "encoder":
        texts += _small_encoder(content, tmp_path)
    if group == "llm" and content["kind"] == "pretrained":
        texts.append(f"llm.source={save_llm(content['source'], tmp_path / 'llm')}")
    if group in ("projector", "freeze"):
        # 4 x 4 cells of 32 channels: what each projector can take.
        texts += ["encoder=eva02_l_336", "encoder.weights=random", "encoder.image_size=56"]
        texts += ["llm.hidden_size=32"]
        texts += ["projector.heads=8"] if "heads" in content else []
    if name == "llm_upper_layers":
        texts.append("stages.pretrain.freeze.llm.only=['layers[1:]']")
    run = compose_run(texts)
    stage = run.stages["pretrain"]
    with torch.random.fork_rng():
        model, tokenizer = build_model(run, stage.parts, 0, torch.device("cpu"))
    plan = freeze_plan(stage)
    apply_freeze(model, plan)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    loss = _loss(model, len(tokenizer))
    loss.backward()
    optimizer = build_optimizer(model, plan, stage.optimizer)
    optimizer.step()
    assert bool(torch.isfinite(loss))
    changed = {n for n, p in model.named_parameters() if not p.equal(before[n])}
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert changed and changed <= trained
    if name not in ("identity", "llm_only"):
        assert any(n.startswith("projector") for n in changed)


def _small_encoder(content: dict[str, Any], folder: Path) -> list[str]:
    if content["kind"] == "fused":
        small = {"weights": "random", "image_size": 28}
        members = [member | small for member in content["members"]]
        return [f"encoder.members={members}".replace("'", "")]
    if content["kind"] == "timm":
        if content.get("weights", "").startswith("package:"):
            return []
        size = 64 if "convnext" in content["name"] else 28
        return ["encoder.weights=random", f"encoder.image_size={size}"]
    small = [f"encoder.source={save_encoder(content['source'], folder / 'encoder')}"]
    small += ["encoder.image_size=28"] if content.get("image_size") else []
    return small + (["encoder.scales=[28,56]"] if "scales" in content else [])


def _loss(model: Any, vocabulary: int) -> torch.Tensor:
    torch.manual_seed(0)
    tokens = torch.randint(3, vocabulary, (1, model.tokens_per_view + 6))
    labels = tokens.clone()
    tokens[:, 1 : 1 + model.tokens_per_view] = IMAGE_TOKEN
    labels[:, : 1 + model.tokens_per_view] = IGNORE
    size = model.encoder.image_size
    pixels = torch.randn(1, 3, size, size)
    positions = torch.arange(tokens.shape[1])[None]
    return model(tokens, positions, labels, pixels=pixels)
