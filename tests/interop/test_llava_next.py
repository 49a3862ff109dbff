"""LLaVA-NeXT of transformers: the imported model says what transformers' own says, of pictures that
each its own processor and our transform cut into tiles; what does not fit is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoTokenizer,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessor,
    LlavaNextProcessor,
)

from tests.data.bad.pictures import encoded, noise
from tests.interop.test_interop import CLIP, LLMS, _result, open_model, outputs, same
from tests.shrunken import save_encoder, save_llm
from vilax.cli.main import main
from vilax.models.decoding import generate
from vilax.models.views import Views
from vilax.models.vlm import IMAGE_TOKEN
from vilax.training.build import build_transform, image_tokens

__all__ = ["outputs"]

SIDE = 28
PINPOINTS = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]
IMAGE = 4
NEWLINE = "model.image_newline"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA-NeXT as transformers itself writes it."""
    folder = tmp_path_factory.mktemp("saved") / "hf"
    vision = AutoConfig.from_pretrained(save_encoder(CLIP, folder / "e"))
    llm = save_llm(LLMS["qwen2"], folder / "l", max_position_embeddings=1024)
    text = AutoConfig.from_pretrained(llm)
    torch.manual_seed(1)
    config = LlavaNextConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE,
        image_grid_pinpoints=PINPOINTS,
        vision_feature_layer=-2,
        tie_word_embeddings=text.tie_word_embeddings,
    )
    LlavaNextForConditionalGeneration(config).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(llm)
    image = LlavaNextImageProcessor(
        size={"shortest_edge": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        image_grid_pinpoints=PINPOINTS,
        image_mean=[0.4, 0.5, 0.6],
        image_std=[0.3, 0.25, 0.2],
    )
    LlavaNextProcessor(
        image,
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        image_token=tokenizer.convert_ids_to_tokens(IMAGE),
    ).save_pretrained(folder)
    image.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def imported(saved: Path) -> Path:
    ours = saved.parent / "ours"
    assert main(["import", str(saved), "--to", str(ours)]) == 0
    return ours


def copied(saved: Path, to: Path) -> Path:
    return shutil.copytree(saved, to / "source")


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_text_is_read_alike(saved: Path, imported: Path) -> None:
    theirs = LlavaNextForConditionalGeneration.from_pretrained(saved, dtype=torch.float32).eval()
    ours = open_model(imported)
    tokens = torch.tensor([[1, 7, 9, 11, 20, 21]])
    with torch.no_grad():
        found = ours.llm.logits(ours.llm(ours.embed(tokens, None), torch.arange(6)[None]))
        assert torch.allclose(found, theirs(tokens).logits, atol=1e-4)


@pytest.mark.parametrize("size", [(120, 50), (40, 90)])
def test_pictures_are_read_alike(saved: Path, imported: Path, size: tuple[int, int]) -> None:
    """Theirs with its processor's pixels, ours with those of our transform: both resize alike."""
    theirs = LlavaNextForConditionalGeneration.from_pretrained(saved, dtype=torch.float32).eval()
    picture = noise().resize(size, PIL.Image.Resampling.BICUBIC).convert("RGB")
    given = LlavaNextImageProcessor.from_pretrained(saved)(picture, return_tensors="pt")
    run, _, _ = _result(imported)
    assert run.encoder.image_policy == "anyres"
    ours = open_model(imported)
    transform = build_transform(run.encoder, ours.encoder)
    pixels = transform(encoded(picture, "PNG"))
    assert torch.allclose(pixels, given["pixel_values"][0], atol=1e-5)
    tokens = image_tokens(transform, ours.tokens_per_view)
    assert not isinstance(tokens, int)
    order = torch.from_numpy(tokens.order(size).copy())
    views = Views(pixels, (len(pixels),), (order,))
    ids = torch.tensor([[1, 7, *[IMAGE] * len(order), 9, 11]])
    with torch.no_grad():
        wanted = theirs(ids, **given).logits
        hidden = ours.llm(
            ours.embed(ids.masked_fill(ids == IMAGE, IMAGE_TOKEN), ours.features(views)),
            torch.arange(ids.shape[1])[None],
        )
        assert torch.allclose(ours.llm.logits(hidden), wanted, atol=1e-4)
        answer = theirs.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=6,
            min_new_tokens=6,
            do_sample=False,
            eos_token_id=[],
            **given,
        )
    asked = ids.masked_fill(ids == IMAGE, IMAGE_TOKEN).tolist()
    found = generate(ours, asked, [ours.features(views)], 6, (), 0)
    assert found[0] == answer[0, ids.shape[1] :].tolist()


def older(name: str) -> str:
    """The name in releases of transformers before the model had one inside."""
    if name.startswith("model.language_model."):
        return name.replace("model.language_model.", "language_model.model.")
    if name.startswith("model.vision_tower."):
        own = name.removeprefix("model.vision_tower.").removeprefix("vision_model.")
        return f"vision_tower.vision_model.{own}"
    return f"language_model.{name}" if name.startswith("lm_head") else name.removeprefix("model.")


def newer(name: str) -> str:
    """The name with the model inside, whatever release wrote it."""
    if name.startswith("language_model.model."):
        return name.replace("language_model.model.", "model.language_model.")
    if name.startswith("language_model.lm_head"):
        return name.removeprefix("language_model.")
    return name if name.startswith(("model.", "lm_head")) else f"model.{name}"


def test_old_and_new_names(saved: Path, imported: Path, tmp_path: Path) -> None:
    tensors = load_file(saved / "model.safetensors")
    news = {newer(name): tensor for name, tensor in tensors.items()}
    for number, given in enumerate((news, {older(n): t for n, t in news.items()})):
        folder = copied(saved, tmp_path / str(number))
        save_file(given, folder / "model.safetensors", {"format": "pt"})
        assert main(["import", str(folder), "--to", str(tmp_path / f"to{number}")]) == 0
        assert same(imported, tmp_path / f"to{number}")
    assert set(news) != {older(name) for name in news}


@pytest.mark.parametrize("tensor", ["image_newline", "layers.1.mlp.up_proj.weight"])
@pytest.mark.parametrize("harm", ["missing", "renamed", "shape"])
def test_what_does_not_fit_is_named(
    saved: Path, tmp_path: Path, tensor: str, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(saved, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    name = next(n for n in tensors if n.endswith(tensor))
    taken = tensors.pop(name)
    if harm == "renamed":
        tensors[name + "s"] = taken
    elif harm == "shape":
        tensors[name] = taken[:-1].clone()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    before = sorted(tmp_path.iterdir())
    assert main(["import", str(folder), "--to", str(tmp_path / "ours")]) == 2
    assert f"{tensor} is " in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("config.json", "image_grid_pinpoints", [[28, 56], [50, 28]]),
        ("config.json", "image_grid_pinpoints", [[28, 28 * 17]]),
        ("config.json", "image_grid_pinpoints", [[28 * 9, 28 * 9]]),
        ("config.json", "vision_feature_select_strategy", "full"),
        ("config.json", "vision_feature_layer", [-2, -1]),
        ("config.json", "projector_hidden_act", "relu"),
        ("preprocessor_config.json", "resample", 2),
        ("preprocessor_config.json", "crop_size", {"height": 56, "width": 56}),
        ("preprocessor_config.json", "image_grid_pinpoints", [[28, 56]]),
    ],
)
def test_settings_that_cannot_be_kept_are_named(
    saved: Path,
    tmp_path: Path,
    file: str,
    key: str,
    value: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = copied(saved, tmp_path)
    edit(folder / file, **{key: value})
    if file == "config.json" and key == "image_grid_pinpoints":
        edit(folder / "preprocessor_config.json", **{key: value})
    assert main(["import", str(folder), "--to", str(tmp_path / "ours")]) == 2
    assert key in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


def test_grids_and_colours_are_the_checkpoints(saved: Path, imported: Path) -> None:
    run, _, _ = _result(imported)
    assert run.encoder.pinpoints == ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))
    assert (run.encoder.layer, run.encoder.class_token) == (-2, False)
    ours = open_model(imported)
    assert ours.encoder.mean == pytest.approx((0.4, 0.5, 0.6))
    assert ours.encoder.std == pytest.approx((0.3, 0.25, 0.2))
    newline = next(t for n, t in load_file(saved / "model.safetensors").items() if "newline" in n)
    assert torch.equal(ours.projector.newline, newline)


def test_an_import_is_trained_on_and_evaluated(
    imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"start={imported}", "order=[sft]", "features.cache=false"]
    words += ["stages.sft.budget={tokens: 1000}", "stages.sft.length=128", "stages.sft.batch=2"]
    words += ["trainer.precision=fp32", "logger=disabled", "stages.sft.blend.streams=1"]
    assert main(["train", *words]) == 0
    from vilax.artifacts.store import Store
    from vilax.config.locate import store_dir

    (entry,) = Store(store_dir()).entries()
    before, after = open_model(imported), open_model(entry.folder)
    assert not torch.equal(before.projector.newline, after.projector.newline)
    assert main(["evaluate", str(imported), "suite=ablation", "--limit", "2"]) == 0
    assert "imported" in capsys.readouterr().out
