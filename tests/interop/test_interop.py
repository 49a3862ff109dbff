"""Import and export: the same weights, logits and answers in every layout; what does not fit is
named, and nothing is written."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPImageProcessor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from tests.shrunken import save_encoder, save_llm
from vilax.ablation.subject import find_result
from vilax.cli.main import main
from vilax.training.load import load_result

CLIP, SIGLIP = "openai/clip-vit-large-patch14", "google/siglip-so400m-patch14-384"
TEMPLATES = {"llama": "vicuna_v1", "qwen2": "qa", "mistral": "plain", "gemma2": "raw"}
LLMS = {
    "llama": "lmsys/vicuna-7b-v1.5",
    "qwen2": "Qwen/Qwen2.5-7B",
    "mistral": "mistralai/Mistral-7B-v0.3",
    "gemma2": "google/gemma-2-9b",
}


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))


def save_hf(
    folder: Path, tower: str, llm: str, context: int = 256
) -> LlavaForConditionalGeneration:
    """A LLaVA as transformers itself writes it; the image's token is one that is there already."""
    vision = AutoConfig.from_pretrained(save_encoder(tower, folder / "e"))
    text = AutoConfig.from_pretrained(save_llm(llm, folder / "l", max_position_embeddings=context))
    torch.manual_seed(1)
    strategy = "default" if tower == CLIP else "full"
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=4,
        vision_feature_select_strategy=strategy,
        tie_word_embeddings=text.tie_word_embeddings,
    )
    model = LlavaForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder / "l")
    processor = CLIPImageProcessor(
        size={"height": 28, "width": 28}, do_center_crop=False, image_mean=[0.5] * 3
    )
    LlavaProcessor(
        processor,
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy=strategy,
        image_token=tokenizer.convert_ids_to_tokens(4),
    ).save_pretrained(folder)
    processor.save_pretrained(folder)
    return model


def save_original(folder: Path, llm: str, projector: str = "mlp2x_gelu") -> dict[str, torch.Tensor]:
    """LLaVA-1.5's own layout, written tensor by tensor."""
    tower = save_encoder(CLIP, folder / "tower")
    net = AutoModelForCausalLM.from_pretrained(save_llm(llm, folder / "l"), dtype=torch.float32)
    tensors = {n: t.half().clone() for n, t in net.state_dict().items()}
    torch.manual_seed(2)
    width = net.config.hidden_size
    for name in ("0.", "2.") if projector != "linear" else ("",):
        tensors[f"model.mm_projector.{name}weight"] = torch.randn(width, 32).half()
        tensors[f"model.mm_projector.{name}bias"] = torch.randn(width).half()
    save_file(tensors, folder / "model-00001-of-00001.safetensors", {"format": "pt"})
    config = net.config.to_dict() | {
        "model_type": "llava_llama",
        "mm_vision_tower": str(tower),
        "mm_projector_type": projector,
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "image_aspect_ratio": "pad",
    }
    (folder / "config.json").write_text(json.dumps(config))
    AutoTokenizer.from_pretrained(folder / "l").save_pretrained(folder)
    return tensors


def open_model(folder: Path) -> Any:
    return load_result(*_result(folder))[0].float()


def _result(folder: Path) -> tuple[Any, Any, Any]:
    run, stage, entry = find_result(str(folder))
    return run, entry, stage


def same(one: Path, other: Path) -> bool:
    a, b = open_model(one).state_dict(), open_model(other).state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


@pytest.mark.parametrize("tower", [CLIP, SIGLIP])
@pytest.mark.parametrize("family", LLMS)
def test_transformers_there_and_back(tmp_path: Path, tower: str, family: str) -> None:
    theirs = save_hf(tmp_path / "hf", tower, LLMS[family])
    assert main(["import", str(tmp_path / "hf"), "--to", str(tmp_path / "ours")]) == 0
    ours = open_model(tmp_path / "ours")
    pixels = torch.randn(1, 3, 28, 28)
    tokens = torch.tensor([[1, 7, 4, 4, 4, 4, 9, 11]])
    with torch.no_grad():
        wanted = theirs(tokens, pixel_values=pixels).logits
        positions = torch.arange(8)[None]
        hidden = ours.llm(
            ours.embed(tokens.masked_fill(tokens == 4, -200), ours.features(pixels)), positions
        )
        cap = theirs.config.text_config.__dict__.get("final_logit_softcapping")
        found = ours.llm.logits(hidden)
    assert torch.allclose(found, torch.tanh(wanted / cap) * cap if cap else wanted, atol=1e-4)
    out = tmp_path / "out"
    words = ["export", str(tmp_path / "ours"), "--format", "hf-llava", "--to", str(out)]
    template = TEMPLATES[family]
    assert main([*words, "--template", template]) == 0
    card = (out / "README.md").read_text()
    assert f"Its chat template is `{template}`" in card and "token ids" in card
    reloaded, info = LlavaForConditionalGeneration.from_pretrained(
        out, dtype=torch.float32, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"]
    image = int(reloaded.config.image_token_id)
    given = tokens.masked_fill(tokens == 4, image)
    with torch.no_grad():
        again = reloaded(given, pixel_values=pixels).logits[..., : wanted.shape[-1]]
    assert torch.allclose(again, wanted, atol=1e-4)
    mask = torch.ones_like(tokens)
    options = {"attention_mask": mask, "max_new_tokens": 6, "do_sample": False}
    answer = theirs.generate(tokens, pixel_values=pixels, **options)[:, 8:]
    assert torch.equal(reloaded.generate(given, pixel_values=pixels, **options)[:, 8:], answer)
    assert main(["import", str(out), "--to", str(tmp_path / "back")]) == 0
    assert same(tmp_path / "ours", tmp_path / "back")


@pytest.mark.parametrize("projector", ["mlp2x_gelu", "linear"])
def test_llava_there_and_back(tmp_path: Path, projector: str) -> None:
    tensors = save_original(tmp_path / "llava", LLMS["llama"], projector)
    assert main(["import", str(tmp_path / "llava"), "--to", str(tmp_path / "ours")]) == 0
    run, _, _ = _result(tmp_path / "ours")
    assert (run.encoder.image_policy, run.encoder.layer) == ("pad", -2)
    ours = open_model(tmp_path / "ours")
    for name, tensor in ours.llm.net.state_dict().items():
        assert torch.equal(tensor, tensors[name].float())
    out = tmp_path / "out"
    words = ["export", str(tmp_path / "ours"), "--format", "llava", "--to", str(out)]
    assert main(words) == 0
    written = load_file(out / "model.safetensors")
    for name, tensor in tensors.items():
        assert torch.equal(written[name], tensor.float())
    assert main(["import", str(out), "--to", str(tmp_path / "back")]) == 0
    assert same(tmp_path / "ours", tmp_path / "back")


def test_the_tower_of_an_export_is_the_models_own(tmp_path: Path) -> None:
    save_original(tmp_path / "llava", LLMS["llama"])
    assert main(["import", str(tmp_path / "llava"), "--to", str(tmp_path / "ours")]) == 0
    words = ["export", str(tmp_path / "ours"), "--to", str(tmp_path / "native")]
    assert main([*words, "--format", "vilax"]) == 0
    assert same(tmp_path / "ours", tmp_path / "native")
    card = (tmp_path / "native" / "README.md").read_text()
    assert "## Recipe" in card and "imported" in card


def save_vila(folder: Path) -> dict[str, torch.Tensor]:
    """VILA-1.5's layout, written part by part; the projector's tensors."""
    save_llm(LLMS["llama"], folder / "llm")
    save_encoder(SIGLIP, folder / "vision_tower")
    torch.manual_seed(3)
    shapes = {"1.weight": (128,), "1.bias": (128,), "2.weight": (32, 128), "2.bias": (32,)}
    shapes |= {"4.weight": (32, 32), "4.bias": (32,)}
    tensors = {f"layers.{n}": torch.randn(shape) for n, shape in shapes.items()}
    (folder / "mm_projector").mkdir()
    save_file(tensors, folder / "mm_projector" / "model.safetensors")
    kind = {"mm_projector_type": "mlp_downsample", "model_type": "v2l_projector"}
    (folder / "mm_projector" / "config.json").write_text(json.dumps(kind))
    config = {"model_type": "llava_llama", "mm_vision_select_feature": "cls_patch"}
    (folder / "config.json").write_text(json.dumps(config | {"image_aspect_ratio": "resize"}))
    return tensors


def test_vila_there_and_back(tmp_path: Path) -> None:
    folder = tmp_path / "vila"
    tensors = save_vila(folder)
    assert main(["import", str(folder), "--to", str(tmp_path / "ours")]) == 0
    ours = open_model(tmp_path / "ours")
    assert ours.tokens_per_view == 1
    features = torch.randn(1, 9, 32)
    functional = torch.nn.functional
    padded = functional.pad(features.view(1, 3, 3, 32), (0, 0, 0, 1, 0, 1))
    # VILA joins neighbours and then goes through the grid column by column.
    joined = torch.stack(
        [
            torch.cat([padded[:, 2 * r + a, 2 * c + b] for a in (0, 1) for b in (0, 1)], -1)
            for c in (0, 1)
            for r in (0, 1)
        ],
        1,
    )
    normed = functional.layer_norm(
        joined, (128,), tensors["layers.1.weight"], tensors["layers.1.bias"]
    )
    inner = functional.linear(normed, tensors["layers.2.weight"], tensors["layers.2.bias"])
    wanted = functional.linear(
        functional.gelu(inner), tensors["layers.4.weight"], tensors["layers.4.bias"]
    )
    assert torch.allclose(ours.projector(features), wanted, atol=1e-4)
    out = tmp_path / "out"
    words = ["export", str(tmp_path / "ours"), "--format", "vila", "--to", str(out)]
    assert main(words) == 0
    written = load_file(out / "mm_projector" / "model.safetensors")
    assert written.keys() == tensors.keys()
    assert all(torch.equal(written[n], tensors[n]) for n in tensors)
    for part in ("llm", "vision_tower"):
        mine, theirs = (load_file(f / part / "model.safetensors") for f in (out, folder))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[n], theirs[n].float()) for n in theirs)
    config = json.loads((out / "config.json").read_text())
    assert (config["model_type"], config["image_aspect_ratio"]) == ("llava_llama", "resize")
    assert main(["import", str(out), "--to", str(tmp_path / "back")]) == 0
    assert same(tmp_path / "ours", tmp_path / "back")
    assert "library_name: vilax" in (out / "README.md").read_text()


def test_a_llava_in_vilas_layout(tmp_path: Path) -> None:
    save_original(tmp_path / "llava", LLMS["llama"], "linear")
    assert main(["import", str(tmp_path / "llava"), "--to", str(tmp_path / "ours")]) == 0
    out = tmp_path / "out"
    words = ["export", str(tmp_path / "ours"), "--format", "vila", "--to", str(out)]
    assert main(words) == 0
    assert main(["import", str(out), "--to", str(tmp_path / "back")]) == 0
    assert same(tmp_path / "ours", tmp_path / "back")
    assert _result(tmp_path / "back")[0].encoder.image_policy == "pad"


def test_weights_that_change_on_the_way_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vilax.interop import vila

    save_vila(tmp_path / "vila")
    assert main(["import", str(tmp_path / "vila"), "--to", str(tmp_path / "ours")]) == 0
    write = vila.save_file

    def nudged(tensors: dict[str, torch.Tensor], *more: Any) -> None:
        write({n: t + 1e-7 for n, t in tensors.items()}, *more)

    monkeypatch.setattr(vila, "save_file", nudged)
    words = ["export", str(tmp_path / "ours"), "--format", "vila", "--to", str(tmp_path / "out")]
    assert main(words) == 2
    assert "weights are not the model's" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_projector_alone(tmp_path: Path) -> None:
    save_llm(LLMS["llama"], tmp_path / "llm")
    tower = save_encoder(CLIP, tmp_path / "tower")
    torch.manual_seed(4)
    tensors = {
        f"model.mm_projector.{n}": torch.randn(shape)
        for n, shape in {"weight": (32, 32), "bias": (32,)}.items()
    }
    torch.save(tensors, tmp_path / "mm_projector.bin")
    words = ["import", str(tmp_path / "mm_projector.bin"), "--encoder", str(tower)]
    assert main([*words, "--to", str(tmp_path / "ours")]) == 2
    words += ["--llm", str(tmp_path / "llm")]
    assert main([*words, "--to", str(tmp_path / "ours")]) == 0
    weight = open_model(tmp_path / "ours").projector.linear.weight
    assert torch.equal(weight, tensors["model.mm_projector.weight"])


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("evil",)


@pytest.mark.parametrize("layout", ["hf", "llava"])
@pytest.mark.parametrize("harm", ["renamed", "missing", "shape", "extra", "code", "torn"])
def test_what_does_not_fit_is_named(
    tmp_path: Path, layout: str, harm: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "source"
    if layout == "hf":
        save_hf(folder, CLIP, LLMS["llama"])
    else:
        save_original(folder, LLMS["llama"])
    file = next(folder.glob("*.safetensors"))
    tensors = load_file(file)
    name = next(n for n in tensors if n.endswith("layers.1.mlp.up_proj.weight"))
    if harm in ("renamed", "missing"):
        taken = tensors.pop(name)
        if harm == "renamed":
            tensors[name.replace("up_proj", "upper")] = taken
    elif harm == "shape":
        tensors[name] = tensors[name][:-1].clone()
    elif harm == "extra":
        tensors["model.layers.9.weight"] = torch.zeros(1)
    save_file(tensors, file, {"format": "pt"})
    expected = "layers.9" if harm == "extra" else "up_proj"
    if harm == "code":
        file.unlink()
        torch.save(tensors | {"x": Evil()}, folder / "pytorch_model.bin")
        expected = "pytorch_model.bin"
    if harm == "torn":
        file.write_bytes(file.read_bytes()[:-100])
        expected = file.name
    before = sorted(tmp_path.iterdir())
    capsys.readouterr()
    assert main(["import", str(folder), "--to", str(tmp_path / "ours")]) == 2
    assert expected in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert"}, "no known layout"),
        ({"mm_projector_type": "cabstractor"}, "cabstractor"),
        ({"image_aspect_ratio": "anyres"}, "tiles are imported of transformers"),
    ],
)
def test_other_layouts_are_refused_by_name(
    tmp_path: Path, config: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "source"
    save_original(folder, LLMS["llama"])
    content = json.loads((folder / "config.json").read_text()) | config
    if "model_type" in config:
        content = config
    (folder / "config.json").write_text(json.dumps(content))
    assert main(["import", str(folder), "--to", str(tmp_path / "ours")]) == 2
    assert message in capsys.readouterr().err


def test_what_a_format_cannot_express(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_original(tmp_path / "llava", LLMS["llama"], "linear")
    assert main(["import", str(tmp_path / "llava"), "--to", str(tmp_path / "ours")]) == 0
    words = ["export", str(tmp_path / "ours"), "--to", str(tmp_path / "out")]
    assert main([*words, "--format", "hf-llava"]) == 2
    said = capsys.readouterr().err
    assert "two linear layers" in said and "--format vilax can" in said
    assert main([*words, "--format", "hf-lava"]) == 2
    assert "hf-llava" in capsys.readouterr().err
    assert main([*words, "--format", "hf-llava", "--template", "vicuna"]) == 2
    assert "vicuna_v1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", ["layer", "chat template"])
def test_a_wrong_export_is_caught(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: str,
) -> None:
    from vilax.interop import hf_llava

    save_hf(tmp_path / "hf", CLIP, LLMS["llama"])
    assert main(["import", str(tmp_path / "hf"), "--to", str(tmp_path / "ours")]) == 0
    if wrong == "layer":
        build = hf_llava.LlavaConfig
        monkeypatch.setattr(
            hf_llava, "LlavaConfig", lambda **given: build(**given | {"vision_feature_layer": -1})
        )
    else:
        jinja = hf_llava.jinja_of
        monkeypatch.setattr(
            hf_llava, "jinja_of", lambda *given: jinja(*given).replace("question :", "question ?")
        )
    words = ["export", str(tmp_path / "ours"), "--format", "hf-llava", "--template", "qa"]
    assert main([*words, "--to", str(tmp_path / "out")]) == 2
    said = (
        "logits differ" if wrong == "layer" else "template=qa: the exported chat template differs"
    )
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_import_is_trained_on_and_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", CLIP, LLMS["qwen2"], context=1024)
    assert main(["import", str(tmp_path / "hf"), "--to", str(tmp_path / "ours")]) == 0
    words = [f"start={tmp_path / 'ours'}", "order=[sft]", "features.cache=false"]
    words += ["stages.sft.budget={tokens: 2000}", "stages.sft.length=128", "stages.sft.batch=2"]
    words += ["trainer.precision=fp32", "logger=disabled", "stages.sft.blend.streams=1"]
    assert main(["train", *words]) == 0
    from vilax.artifacts.store import Store
    from vilax.config.locate import store_dir

    (entry,) = Store(store_dir()).entries()
    imported = find_result(str(tmp_path / "ours"))[2]
    assert entry.parent == imported.identity
    before, after = open_model(tmp_path / "ours"), open_model(entry.folder)
    assert torch.equal(
        before.encoder.net.state_dict()["pre_layrnorm.weight"],
        after.encoder.net.state_dict()["pre_layrnorm.weight"],
    )
    assert not torch.equal(before.projector.layers[0].weight, after.projector.layers[0].weight)
    out = tmp_path / "out"
    assert main(["export", str(entry.folder), "--format", "hf-llava", "--to", str(out)]) == 0
    assert entry.identity in (out / "README.md").read_text()
    assert main(["train", *words, "encoder=clip_l_224"]) == 2
    assert "brings its own encoder" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "ours"), "suite=ablation", "--limit", "2"]) == 0
    assert "imported" in capsys.readouterr().out
