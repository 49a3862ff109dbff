"""Import of prismatic's runs, beside a forward pass in plain torch, timm and transformers."""

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from tests.interop.test_interop import open_model
from tests.shrunken import save_llm, shrink_timm
from vilax.ablation.subject import find_result
from vilax.cli.main import main
from vilax.config.schema.model import FusedEncoder, TimmEncoder
from vilax.interop.prismatic import TOWERS
from vilax.training.build import blank_encoder

VICUNA = "lmsys/vicuna-7b-v1.5"
DINO = "vit_large_patch14_reg4_dinov2.lvd142m"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5,) * 3, (0.5,) * 3)
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))

# Featurizers as prismatic builds them: name in the checkpoint, timm's name, options, colours.
SIGLIP = ("siglip_featurizer", "vit_so400m_patch14_siglip_224.webli", {}, HALF)
FUSED = (("dino_featurizer", DINO, {}, IMAGENET), SIGLIP)
CLIP_ALONE = (
    ("featurizer", "vit_large_patch14_clip_224.openai", {"act_layer": "quick_gelu"}, OPENAI),
)
CASES: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "dinosiglip-vit-so-224px": (FUSED, "no-align+fused-gelu-mlp", "letterbox"),
    "clip-vit-l": (CLIP_ALONE, "gelu-mlp", "resize-crop"),
    "siglip-vit-so400m": ((("featurizer", *SIGLIP[1:]),), "linear", "resize-naive"),
}
POLICIES = {"letterbox": "pad", "resize-crop": "crop", "resize-naive": "resize"}


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))
    shrink_timm(monkeypatch)


class Prismatic(nn.Module):
    """What prismatic computes: penultimate patches of each featurizer, joined on channels, through
    its projector, put behind the first token of the text."""

    def __init__(self, kind: str, llm: Path) -> None:
        super().__init__()
        self.towers, self.arch, _ = CASES[kind]
        torch.manual_seed(7)
        self.vision_backbone = nn.ModuleDict()
        for name, architecture, options, _ in self.towers:
            self.vision_backbone[name] = timm.create_model(
                architecture, num_classes=0, img_size=224, **options
            )
        self.llm = AutoModelForCausalLM.from_pretrained(llm, dtype=torch.float32)
        # A padding token is added, and the table filled up.
        self.llm.resize_token_embeddings(pad_to_multiple_of=64, new_num_tokens=None)
        rows = self.llm.config.vocab_size
        self.llm.resize_token_embeddings(rows + 64)
        wide, width = 32 * len(self.towers), self.llm.config.hidden_size
        if self.arch == "linear":
            self.projector: nn.Module = nn.Linear(wide, width)
        elif self.arch == "gelu-mlp":
            self.projector = nn.Sequential(
                nn.Linear(wide, width), nn.GELU(), nn.Linear(width, width)
            )
        else:
            self.projector = nn.Sequential(
                nn.Linear(wide, 4 * wide),
                nn.GELU(),
                nn.Linear(4 * wide, width),
                nn.GELU(),
                nn.Linear(width, width),
            )
        with torch.no_grad():
            for name, tensor in self.vision_backbone.named_parameters():
                if name.endswith(("pos_embed", "gamma", "bias")):
                    tensor.normal_(std=0.2)
        self.eval()

    def forward(self, tokens: Tensor, picture: Tensor) -> Tensor:
        """Logits of a row of tokens about a picture with values in 0..1."""
        patches = []
        for name, _, _, (mean, std) in self.towers:
            net: Any = self.vision_backbone[name]
            pixels = (picture - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[
                :, None, None
            ]
            patches.append(net.get_intermediate_layers(pixels, n={len(net.blocks) - 2})[0])
        visual = self.projector(torch.cat(patches, dim=2))
        words = self.llm.get_input_embeddings()(tokens)
        joined = torch.cat([words[:, :1], visual, words[:, 1:]], dim=1)
        return self.llm(inputs_embeds=joined).logits

    def checkpoint(self, trained: bool) -> dict[str, Any]:
        """What prismatic saves, the vision backbone where ``trained``."""
        parts: dict[str, Any] = {
            "projector": OrderedDict(
                (f"projector.{n}", t) for n, t in self.projector.state_dict().items()
            ),
            "llm_backbone": OrderedDict((f"llm.{n}", t) for n, t in self.llm.state_dict().items()),
        }
        if trained:
            parts["vision_backbone"] = self.vision_backbone.state_dict()
        return {"model": parts, "optimizer": {"state": {}, "param_groups": [{"lr": 2e-5}]}}


def save_run(folder: Path, kind: str, model: dict[str, Any]) -> Path:
    _, arch, strategy = CASES[kind]
    config = {
        "model_id": "prism+7b",
        "vision_backbone_id": kind,
        "llm_backbone_id": "vicuna-v15-7b",
        "arch_specifier": arch,
        "image_resize_strategy": strategy,
        "llm_max_length": 2048,
    }
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model": config, "seed": 7}))
    torch.save(model, folder / "checkpoints" / "latest-checkpoint.pt")
    return folder


def save_towers(folder: Path, towers: Mapping[str, Any]) -> list[str]:
    words = []
    for name, net in towers.items():
        (folder / name).mkdir(parents=True)
        save_file(net.state_dict(), folder / name / "model.safetensors")
        words += ["--encoder", str(folder / name)]
    return words


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("kind", CASES)
def test_the_import_answers_as_prismatic(tmp_path: Path, kind: str, trained: bool) -> None:
    llm = save_llm(VICUNA, tmp_path / "llm", max_position_embeddings=512)
    theirs = Prismatic(kind, llm)
    run = save_run(tmp_path / "run", kind, theirs.checkpoint(trained))
    words = ["import", str(run), "--llm", str(llm), "--to", str(tmp_path / "ours")]
    if not trained:
        words += save_towers(tmp_path / "towers", dict(theirs.vision_backbone.items()))
    assert main(words) == 0
    ours = open_model(tmp_path / "ours")
    picture = torch.rand(1, 3, 224, 224)
    tokens = torch.tensor([[1, 9, 4, 17, 6]])
    visual = torch.full((1, ours.tokens_per_view), -200)
    with torch.no_grad():
        wanted = theirs(tokens, picture)
        mean, std = (torch.tensor(c)[:, None, None] for c in (ours.encoder.mean, ours.encoder.std))
        features = ours.features((picture - mean) / std)
        spliced = torch.cat([tokens[:, :1], visual, tokens[:, 1:]], dim=1)
        positions = torch.arange(spliced.shape[1])[None]
        found = ours.llm.logits(ours.llm(ours.embed(spliced, features), positions))
    assert ours.tokens_per_view == 256
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-4)
    assert wanted.std() > 0.01
    config = find_result(str(tmp_path / "ours"))[0].encoder
    assert config.image_policy == POLICIES[CASES[kind][2]]


def test_a_run_that_only_aligned_takes_the_llm_from_its_folder(tmp_path: Path) -> None:
    llm = save_llm(VICUNA, tmp_path / "llm")
    whole = Prismatic("clip-vit-l", llm).checkpoint(trained=True)
    del whole["model"]["llm_backbone"]
    run = save_run(tmp_path / "run", "clip-vit-l", whole)
    words = ["import", str(run), "--llm", str(llm), "--to", str(tmp_path / "ours")]
    assert main(words) == 0
    ours = open_model(tmp_path / "ours")
    theirs = AutoModelForCausalLM.from_pretrained(llm, dtype=torch.float32).state_dict()
    assert all(torch.equal(ours.llm.net.state_dict()[n], t) for n, t in theirs.items())
    projector = whole["model"]["projector"]["projector.2.weight"]
    assert torch.equal(ours.projector.layers[2].weight, projector)


def test_networks_made_at_another_size_are_resized_as_timm_does(tmp_path: Path) -> None:
    llm = save_llm(VICUNA, tmp_path / "llm")
    kind = "dinosiglip-vit-so-224px"
    theirs = Prismatic(kind, llm)
    large = timm.create_model(DINO, num_classes=0)
    nn.init.normal_(large.pos_embed)
    file = tmp_path / "dino.pth"
    torch.save({"model": large.state_dict(), "epoch": 3}, file)
    wanted = timm.create_model(
        DINO,
        pretrained=True,
        pretrained_cfg_overlay={"file": str(file)},
        num_classes=0,
        img_size=224,
    )
    run = save_run(tmp_path / "run", kind, theirs.checkpoint(trained=False))
    words = ["import", str(run), "--llm", str(llm), "--to", str(tmp_path / "ours")]
    siglip = save_towers(tmp_path / "t", {"siglip": theirs.vision_backbone["siglip_featurizer"]})
    assert main([*words, "--encoder", str(file), *siglip]) == 0
    dino = next(iter(open_model(tmp_path / "ours").encoder.members())).net
    assert large.pos_embed.shape != dino.pos_embed.shape
    assert all(torch.equal(dino.state_dict()[n], t) for n, t in wanted.state_dict().items())


def test_every_encoder_has_its_grid_and_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    sizes = {
        "clip-vit-b": (196, 768),
        "clip-vit-l": (256, 1024),
        "clip-vit-l-336px": (576, 1024),
        "siglip-vit-b16-224px": (196, 768),
        "siglip-vit-b16-256px": (256, 768),
        "siglip-vit-b16-384px": (576, 768),
        "siglip-vit-so400m": (256, 1152),
        "siglip-vit-so400m-384px": (729, 1152),
        "dinov2-vit-l": (256, 1024),
        "in1k-vit-l": (196, 1024),
        "dinoclip-vit-l-336px": (576, 1024 + 1024),
        "dinosiglip-vit-so-224px": (256, 1024 + 1152),
        "dinosiglip-vit-so-384px": (729, 1024 + 1152),
    }
    assert sizes.keys() == TOWERS.keys()
    for kind, (tokens, width) in sizes.items():
        names, side = TOWERS[kind]
        members = tuple(TimmEncoder(name=name, image_size=side) for name in names.values())
        encoder = blank_encoder(members[0] if len(members) == 1 else FusedEncoder(members=members))
        assert (encoder.tokens, encoder.width) == (tokens, width), kind


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("evil",)


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        ("missing", "projector: tensor projector.projector.2.weight is missing"),
        ("extra", "llm: tensor llm_backbone.llm.model.layers.9.weight belongs"),
        ("prefix", "llm: tensor model.norm.weight belongs"),
        ("shape", "up_proj.weight is (47, 32), expected (48, 32)"),
        ("rows", "embed_tokens.weight is ("),
        (
            "vision",
            "encoder vit_so400m_patch14_siglip_224.webli: tensor blocks.1.mlp.fc1.bias is",
        ),
        ("featurizer", "tensor featurizer.pos_embed belongs to no place"),
        ("part", "tensor downsampler.weight is of no part"),
        ("code", "latest-checkpoint.pt cannot be read as weights and nothing else"),
        ("torn", "latest-checkpoint.pt cannot be read"),
        ("no checkpoint", "latest-checkpoint.pt"),
        ("no projector", "has no projector"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path,
    harm: str,
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    llm = save_llm(VICUNA, tmp_path / "llm")
    kind = "dinosiglip-vit-so-224px"
    whole = Prismatic(kind, llm).checkpoint(trained=True)
    model = whole["model"]
    words = model["llm_backbone"]
    up = "llm.model.layers.1.mlp.up_proj.weight"
    table = "llm.model.embed_tokens.weight"
    if harm == "missing":
        del model["projector"]["projector.2.weight"]
    elif harm == "extra":
        words["llm.model.layers.9.weight"] = torch.zeros(1)
    elif harm == "prefix":
        words["model.norm.weight"] = words.pop("llm.model.norm.weight")
    elif harm == "shape":
        words[up] = words[up][:-1].clone()
    elif harm == "rows":
        words[table] = words[table][:-1].clone()
    elif harm == "vision":
        del model["vision_backbone"]["siglip_featurizer.blocks.1.mlp.fc1.bias"]
    elif harm == "featurizer":
        model["vision_backbone"]["featurizer.pos_embed"] = torch.zeros(1)
    elif harm == "part":
        model["downsampler"] = {"weight": torch.zeros(1)}
    elif harm == "code":
        whole["optimizer"] = Evil()
    elif harm == "no projector":
        model["projector"] = {}
    run = save_run(tmp_path / "run", kind, whole)
    file = run / "checkpoints" / "latest-checkpoint.pt"
    if harm == "torn":
        file.write_bytes(file.read_bytes()[:-500])
    elif harm == "no checkpoint":
        file.unlink()
    before = sorted(tmp_path.iterdir())
    capsys.readouterr()
    assert main(["import", str(run), "--llm", str(llm), "--to", str(tmp_path / "ours")]) == 2
    assert expected in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"vision_backbone_id": "dinosiglip-vit-so-225px"}, "dinosiglip-vit-so-224px"),
        ({"arch_specifier": "no-align+gelu-mpl"}, "gelu-mlp"),
        ({"arch_specifier": "gelu-mlp"}, "projector.0.weight is (256, 64), expected (32, 64)"),
        ({"image_resize_strategy": "corner-pad"}, "letterbox"),
        ({"image_resize_strategy": None}, "expected a name at model.image_resize_strategy"),
        ({"llm_backbone_id": "gemma-instruct+2b"}, "--llm FOLDER"),
    ],
)
def test_other_configurations_are_refused_by_name(
    tmp_path: Path, change: dict[str, Any], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    llm = save_llm(VICUNA, tmp_path / "llm")
    kind = "dinosiglip-vit-so-224px"
    run = save_run(tmp_path / "run", kind, Prismatic(kind, llm).checkpoint(trained=True))
    config = json.loads((run / "config.json").read_text())
    config["model"] |= change
    (run / "config.json").write_text(json.dumps(config))
    words = ["import", str(run), "--to", str(tmp_path / "ours")]
    words += [] if "llm_backbone_id" in change else ["--llm", str(llm)]
    assert main(words) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


def test_networks_that_are_missing_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    llm = save_llm(VICUNA, tmp_path / "llm")
    kind = "dinosiglip-vit-so-224px"
    theirs = Prismatic(kind, llm)
    run = save_run(tmp_path / "run", kind, theirs.checkpoint(trained=False))
    words = ["import", str(run), "--llm", str(llm), "--to", str(tmp_path / "ours")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"--encoder FOLDER with those of timm's {DINO}" in said
    assert f"timm/{DINO}" in said
    towers = save_towers(tmp_path / "towers", dict(theirs.vision_backbone.items()))
    assert main([*words, *towers[:2]]) == 2
    assert f"given 1 times: expected 2, for {DINO}, vit_so400m" in capsys.readouterr().err
    assert main([*words, *towers[2:], *towers[:2]]) == 2
    assert f"encoder {DINO}: tensor cls_token is missing" in capsys.readouterr().err
    assert main([*words, *towers]) == 0
    (tmp_path / "ours").rename(tmp_path / "other")
    save_run(tmp_path / "whole", kind, theirs.checkpoint(trained=True))
    assert main(["import", str(tmp_path / "whole"), *words[2:], *towers]) == 2
    assert "has its encoder's weights" in capsys.readouterr().err


def test_an_import_is_evaluated_and_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = "dinosiglip-vit-so-224px"
    llm = save_llm(VICUNA, tmp_path / "llm", max_position_embeddings=4096)
    run = save_run(tmp_path / "run", kind, Prismatic(kind, llm).checkpoint(trained=True))
    ours = tmp_path / "ours"
    assert main(["import", str(run), "--llm", str(llm), "--to", str(ours)]) == 0
    assert "prismatic" in capsys.readouterr().out
    assert main(["evaluate", str(ours), "suite=quick", "--limit", "1"]) == 0
    assert "imported" in capsys.readouterr().out
    words = [f"start={ours}", "order=[sft]", "features.cache=false", "logger=disabled"]
    words += ["stages.sft.budget={tokens: 3000}", "stages.sft.length=512", "stages.sft.batch=2"]
    words += ["trainer.precision=fp32", "stages.sft.blend.streams=1"]
    assert main(["train", *words]) == 0
    from vilax.artifacts.store import Store
    from vilax.config.locate import store_dir

    (entry,) = (e for e in Store(store_dir()).entries() if e.kind == "stage")
    assert entry.parent == find_result(str(ours))[2].identity
    before, after = open_model(ours).state_dict(), open_model(entry.folder).state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"projector", "llm"}
