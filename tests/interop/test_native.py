"""vilax's own folder holds every encoder, bit by bit, and is evaluated and trained on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from tests.interop.test_interop import CLIP, LLMS, SIGLIP, open_model, same
from tests.shrunken import save_encoder, save_llm
from vilax.ablation.subject import find_result
from vilax.cli.main import main
from vilax.config.compose import compose_run
from vilax.config.schema.model import (
    FusedEncoder,
    LinearProjector,
    PretrainedLlm,
    TimmEncoder,
    TransformersEncoder,
)
from vilax.config.schema.stage import Stage
from vilax.interop.folder import write_folder
from vilax.models.internvit import InternVit
from vilax.training.build import build_encoder
from vilax.training.weights import part_tensors

INTERNVIT = "OpenGVLab/InternViT-6B-448px-V1-2"
TIMM = "test_vit.r160_in1k"
"""timm's smallest ViT, at 32 pixels a grid of 2 x 2 like the shrunken CLIP's."""


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))


def timm_member(folder: Path) -> TimmEncoder:
    torch.manual_seed(5)
    net = timm.create_model(TIMM, num_classes=0, img_size=32)
    save_file(net.state_dict(), folder / "timm.safetensors")
    return TimmEncoder(name=TIMM, weights=str(folder / "timm.safetensors"), image_size=32)


def fused(folder: Path) -> Any:
    clip = TransformersEncoder(source=str(save_encoder(CLIP, folder / "clip")))
    vit = TransformersEncoder(source=str(save_encoder(INTERNVIT, folder / "vit")))
    return FusedEncoder(members=(timm_member(folder), clip, vit))


def scaled(folder: Path) -> Any:
    source = str(save_encoder(SIGLIP, folder / "siglip"))
    return TransformersEncoder(source=source, scales=(28, 56))


def internvit(folder: Path) -> Any:
    return TransformersEncoder(source=str(save_encoder(INTERNVIT, folder / "vit")), mean=(0.1,) * 3)


def scaled_timm(folder: Path) -> Any:
    return timm_member(folder).model_copy(update={"image_size": None, "scales": (32, 64)})


def save_model(folder: Path, config: Any, parts: Path) -> None:
    """A model folder whose encoder a stage has trained: its weights are no longer its source's."""
    encoder = build_encoder(config)
    torch.manual_seed(6)
    with torch.no_grad():
        for tensor in encoder.parameters():
            tensor.add_(torch.randn_like(tensor), alpha=0.01)
    save_llm(LLMS["llama"], parts / "llm", max_position_embeddings=1024)
    run = compose_run(["scale=paper"]).model_copy(
        update={
            "order": ("sft",),
            "stages": {"sft": Stage()},
            "encoder": config,
            "projector": LinearProjector(),
            "llm": PretrainedLlm(source=str(parts / "llm")),
        }
    )

    def fill(place: Path) -> Any:
        save_file(part_tensors(encoder), place / "encoder.safetensors")
        shapes = {"linear.weight": (32, encoder.width), "linear.bias": (32,)}
        tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
        save_file(tensors, place / "projector.safetensors")
        return run

    write_folder(folder, "sft", fill, {})


@pytest.mark.parametrize("make", [fused, scaled, internvit, scaled_timm])
def test_every_encoder_there_and_back(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    save_model(tmp_path / "trained", make(parts), parts)
    out = tmp_path / "out"
    words = ["export", str(tmp_path / "trained"), "--format", "vilax", "--to", str(out)]
    assert main(words) == 0
    out.rename(tmp_path / "moved")
    assert same(tmp_path / "trained", tmp_path / "moved")
    ours, theirs = (open_model(tmp_path / name).encoder for name in ("trained", "moved"))
    pixels = torch.randn(2, 3, ours.image_size, ours.image_size)
    with torch.no_grad():
        assert torch.equal(ours(pixels), theirs(pixels))
    assert (ours.mean, ours.std) == (theirs.mean, theirs.std)


def test_the_folder_needs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    save_model(tmp_path / "trained", fused(parts), parts)
    out = tmp_path / "out"
    words = ["export", str(tmp_path / "trained"), "--format", "vilax", "--to", str(out)]
    assert main(words) == 0
    before = open_model(out).state_dict()
    (tmp_path / "trained").rename(tmp_path / "away")
    parts.rename(tmp_path / "gone")
    assert main(["evaluate", str(out), "suite=quick", "--limit", "1"]) == 0
    assert "sft" in capsys.readouterr().out
    words = [f"start={out}", "order=[sft]", "features.cache=false", "logger=disabled"]
    words += ["stages.sft.budget={tokens: 1000}", "stages.sft.length=128", "stages.sft.batch=2"]
    words += ["trainer.precision=fp32", "stages.sft.blend.streams=1"]
    assert main(["train", *words]) == 0
    from vilax.artifacts.store import Store
    from vilax.config.locate import store_dir

    trained = [entry for entry in Store(store_dir()).entries() if entry.kind == "stage"]
    assert [entry.parent for entry in trained] == [find_result(str(out))[2].identity]
    after = open_model(trained[0].folder).state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"projector", "llm"}


def test_internvit_is_written_in_its_publishers_layout(tmp_path: Path) -> None:
    source = save_encoder(INTERNVIT, tmp_path / "vit")
    InternVit.pretrained(str(source)).publish(tmp_path / "out")
    theirs = load_file(source / "model.safetensors")
    ours = load_file(tmp_path / "out" / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name].float()) for name in theirs)
