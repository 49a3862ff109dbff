"""Import of folders as others write them: what transformers reads is read alike, to the logit; what
has no counterpart is refused by its key; files beside the weights count for nothing."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPVisionModel,
    Dinov2Config,
    Gemma2Config,
    GemmaConfig,
    LlamaConfig,
    LlavaForConditionalGeneration,
    MixtralConfig,
    Qwen2Config,
    SiglipVisionConfig,
)

from tests.interop.foreign import (
    CLIP,
    IMAGE,
    SIDE,
    SIZES,
    edit,
    save_hf,
    save_llava,
    save_processor,
    save_vila,
    text_config,
)
from tests.interop.test_interop import _result, open_model, outputs
from tests.models.test_encoder import internvit_tensors
from vilax.cli.main import main
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.internvit import InternVit

__all__ = ["outputs"]

WIDE = {name: size for name, size in SIZES.items() if name != "intermediate_size"}
DINO = Dinov2Config(**WIDE, image_size=SIDE, patch_size=14)
SIGLIP = SiglipVisionConfig(**SIZES, image_size=SIDE, patch_size=14)


def imported(source: Path, *words: str) -> Path:
    to = source.parent / f"{source.name}-ours"
    assert main(["import", str(source), "--to", str(to), *words]) == 0
    return to


def refused(source: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    before = sorted(source.parent.iterdir())
    to = source.parent / "refused"
    capsys.readouterr()
    assert main(["import", str(source), "--to", str(to), *words]) == 2
    assert sorted(source.parent.iterdir()) == before
    return capsys.readouterr().err


def logits_agree(theirs: Any, folder: Path) -> bool:
    ours = open_model(folder)
    torch.manual_seed(5)
    pixels = torch.randn(1, 3, SIDE, SIDE)
    tokens = torch.tensor([[1, 7, *[IMAGE] * ours.tokens_per_view, 9, 11]])
    with torch.no_grad():
        wanted = theirs(tokens, pixel_values=pixels).logits
        seen = ours.embed(tokens.masked_fill(tokens == IMAGE, -200), ours.features(pixels))
        found = ours.llm.logits(ours.llm(seen, torch.arange(tokens.shape[1])[None]))
    return torch.allclose(found, wanted, atol=1e-4)


QWEN = text_config(Qwen2Config)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        # Files have one tensor for each expert, the model has one for all.
        (text_config(MixtralConfig, num_local_experts=2), {}),
        # Files and model have other names for attention; there is a class token to drop or keep.
        (QWEN, {"vision": DINO}),
        (QWEN, {"vision": DINO, "vision_feature_select_strategy": "full"}),
        (QWEN, {"vision_feature_layer": [-2]}),
        (QWEN, {"tie_word_embeddings": True}),
        (QWEN, {"saving": {"max_shard_size": "30KB"}}),
    ],
    ids=["experts", "dino", "dino, class token", "list of a layer", "tied above", "shards"],
)
def test_what_transformers_reads_is_read_alike(
    tmp_path: Path, text: Any, more: dict[str, Any]
) -> None:
    theirs = save_hf(tmp_path / "hf", text, **more)
    assert logits_agree(theirs, imported(tmp_path / "hf"))


def test_a_head_that_is_not_the_embeddings_stays(tmp_path: Path) -> None:
    save_hf(tmp_path / "hf", text_config(Qwen2Config, tie_word_embeddings=True))
    file = tmp_path / "hf" / "model.safetensors"
    tensors = load_file(file)
    table = next(t for n, t in tensors.items() if n.endswith("embed_tokens.weight"))
    save_file(tensors | {"lm_head.weight": torch.randn_like(table)}, file, {"format": "pt"})
    theirs = LlavaForConditionalGeneration.from_pretrained(tmp_path / "hf").eval()
    assert logits_agree(theirs, imported(tmp_path / "hf"))


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("vision_feature_select_strategy", "cls", "vision_feature_select_strategy"),
        ("vision_feature_layer", [-2, -1], "vision_feature_layer=[-2, -1]"),
        ("vision_feature_layer", -9, "vision_feature_layer=-9"),
        ("multimodal_projector_bias", False, "multimodal_projector_bias=false"),
        ("projector_hidden_act", "relu", "projector_hidden_act=relu"),
        ("quantization_config", {"quant_method": "awq"}, "quant_method=awq"),
        ("text_config.model_type", "no-such-llm", "no-such-llm"),
        ("text_config.hidden_size", "wide", "hidden_size"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_key(
    tmp_path: Path, key: str, value: Any, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN)
    edit(tmp_path / "hf" / "config.json", **{key: value})
    assert named in refused(tmp_path / "hf", capsys)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resample", 2),
        ("do_rescale", False),
        ("rescale_factor", 1 / 127.5),
        ("do_center_crop", False),
        ("size", {"shortest_edge": 32}),
        ("size", {"longest_edge": 1024}),
        ("crop_size", {"height": 56, "width": 56}),
    ],
)
def test_pictures_that_would_look_otherwise_are_refused_by_the_processors_key(
    tmp_path: Path, key: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN)
    edit(tmp_path / "hf" / "preprocessor_config.json", **{key: value})
    assert f"{key}={value}" in refused(tmp_path / "hf", capsys)


def test_the_first_patch_is_not_dropped_for_a_class_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN, vision=SIGLIP)
    assert "vision_feature_select_strategy=default" in refused(tmp_path / "hf", capsys)


def test_older_processors_say_a_size_in_one_number(tmp_path: Path) -> None:
    save_hf(tmp_path / "hf", QWEN)
    edit(tmp_path / "hf" / "preprocessor_config.json", size=SIDE, crop_size=SIDE)
    assert _result(imported(tmp_path / "hf"))[0].encoder.image_policy == "crop"


def test_a_folder_without_processor_takes_the_encoders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN)
    (tmp_path / "hf" / "preprocessor_config.json").unlink()
    save_processor(tmp_path / "clip", image_mean=[0.25] * 3)
    assert "--encoder" in refused(tmp_path / "hf", capsys)
    ours = imported(tmp_path / "hf", "--encoder", str(tmp_path / "clip"))
    assert open_model(ours).encoder.mean == (0.25,) * 3
    save_processor(tmp_path / "hf")
    assert "--encoder" in refused(tmp_path / "hf", capsys, "--encoder", str(tmp_path / "clip"))
    assert "--llm" in refused(tmp_path / "hf", capsys, "--llm", str(tmp_path / "hf"))


def test_tensors_are_named_as_in_their_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN)
    file = tmp_path / "hf" / "model.safetensors"
    tensors = load_file(file)
    name = next(n for n in tensors if n.endswith("linear_2.bias"))
    save_file({n: t for n, t in tensors.items() if n != name}, file, {"format": "pt"})
    assert f"tensor {name} is missing" in refused(tmp_path / "hf", capsys)
    save_file(tensors | {name: tensors[name].to(torch.int8)}, file, {"format": "pt"})
    assert f"tensor {name} is torch.int8" in refused(tmp_path / "hf", capsys)


@pytest.mark.parametrize(
    ("model_type", "text"),
    [
        ("llava_gemma", text_config(GemmaConfig)),
        ("llava_gemma", text_config(Gemma2Config)),
        ("llava_qwen", QWEN),
        ("llava", text_config(LlamaConfig)),
    ],
)
def test_which_of_a_family_tensors_tell(tmp_path: Path, model_type: str, text: Any) -> None:
    tensors = save_llava(tmp_path / "llava", text, model_type)
    ours = open_model(imported(tmp_path / "llava"))
    assert ours.llm.net.config.model_type == text.model_type
    assert all(torch.equal(t, tensors[n]) for n, t in ours.llm.net.state_dict().items())


def test_an_llm_that_transformers_lacks_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_llava(tmp_path / "llava", QWEN, "LlavaLlama")
    assert "model_type=LlavaLlama" in refused(tmp_path / "llava", capsys)


@pytest.mark.parametrize(
    "key",
    [
        {"mm_use_im_start_end": True},
        {"mm_vision_select_feature": "slicefour_patch"},
        {"mm_vision_select_layer": [-2, -1]},
        {"mm_resampler_type": "perceiver"},
        {"s2": True, "s2_scales": "336,672"},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"image_aspect_ratio": "dynamic"},
    ],
)
def test_what_llavas_prompts_and_features_have_more_is_refused(
    tmp_path: Path, key: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    save_llava(tmp_path / "llava", QWEN, "llava_qwen", **key)
    assert list(key)[-1] in refused(tmp_path / "llava", capsys)


def test_files_beside_the_weights_count_for_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "llava"
    tensors = save_llava(folder, QWEN, "llava_qwen")
    junk = {"model.embed_tokens.weight": torch.zeros(2, 2)}
    save_file(junk, folder / "consolidated.safetensors")
    save_file(junk, folder / "model-00001-of-00003.safetensors")
    torch.save({"model.mm_projector.weight": torch.zeros(2, 2)}, folder / "mm_projector.bin")
    torch.save({"state": 1}, folder / "optimizer.pt")
    torch.save(junk, folder / "pytorch_model.bin")
    weight = open_model(imported(folder)).projector.layers[0].weight
    assert torch.equal(weight, tensors["model.mm_projector.0.weight"])


def test_an_index_says_which_files_there_should_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "llava"
    tensors = save_llava(folder, QWEN, "llava_qwen")
    (folder / "model.safetensors").unlink()
    index = folder / "pytorch_model.bin.index.json"
    file = "pytorch_model-00001-of-00001.bin"
    torch.save(tensors, folder / file)
    edit(index, weight_map=dict.fromkeys(tensors, file))
    imported(folder)
    (folder / file).rename(folder / "pytorch_model-00001-of-00002.bin")
    assert f"has no {file}, in which tensor" in refused(folder, capsys)
    edit(index, weight_map={"lm_head.weight": "../secret.bin"})
    assert "'../secret.bin'" in refused(folder, capsys)


def test_what_is_no_weights_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "llava"
    save_llava(folder, QWEN, "llava_qwen")
    file = folder / "model.safetensors"
    file.write_text("version https://git-lfs.github.com/spec/v1\nsize 14\n")
    assert "git lfs pull" in refused(folder, capsys)
    file.unlink()

    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"x": Code()}, folder / "pytorch_model.bin")
    said = refused(folder, capsys)
    assert "asks for the code" in said and "mkdir" in said and "weights_only" not in said
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_training_has_its_model_in_a_key(tmp_path: Path) -> None:
    theirs = save_hf(tmp_path / "hf", QWEN)
    file = tmp_path / "hf" / "model.safetensors"
    checkpoint = {"state_dict": load_file(file), "epoch": 1}
    file.unlink()
    torch.save(checkpoint, tmp_path / "hf" / "last.pt")
    assert logits_agree(theirs, imported(tmp_path / "hf"))


def test_weights_that_are_not_there_are_told_by_what_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN)
    file = tmp_path / "hf" / "model.safetensors"
    file.unlink()
    (tmp_path / "hf" / "zero_to_fp32.py").touch()
    assert "zero_to_fp32.py" in refused(tmp_path / "hf", capsys)
    (tmp_path / "hf" / "model-00001-of-00001.safetensors").symlink_to(tmp_path / "gone")
    assert "a link to one that is gone" in refused(tmp_path / "hf", capsys)


def test_a_tokenizer_of_another_llm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_hf(tmp_path / "hf", text_config(Qwen2Config, vocab_size=600))
    assert "embeddings 600 rows" in refused(tmp_path / "hf", capsys)


def save_lora(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """What LLaVA's LoRA script leaves; the tensors of its two files. The LLM is in ``llm``."""
    save_llava(folder, QWEN, "llava_qwen")
    (folder / "model.safetensors").unlink()
    net = AutoModelForCausalLM.from_config(QWEN)
    net.save_pretrained(folder.parent / "llm")
    build_tokenizer().save_pretrained(folder.parent / "llm")
    torch.manual_seed(7)
    prefix, adapter = "base_model.model.model", {}
    for layer in range(2):
        place = f"{prefix}.layers.{layer}.mlp.up_proj"
        adapter[f"{place}.lora_A.weight"] = torch.randn(4, 32)
        adapter[f"{place}.lora_B.weight"] = torch.randn(48, 4)
    torch.save(adapter, folder / "adapter_model.bin")
    lora = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["up_proj"]}
    names = {"task_type": "CAUSAL_LM", "base_model_name_or_path": "some/vicuna"}
    edit(folder / "adapter_config.json", **lora | names)
    whole = {
        f"{prefix}.mm_projector.{n}": torch.randn(s)
        for n, s in {"0.weight": (32, 32), "0.bias": 32, "2.weight": (32, 32), "2.bias": 32}.items()
    }
    torch.save(whole, folder / "non_lora_trainables.bin")
    return adapter, whole


def test_llavas_lora_is_merged_into_its_llm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter, whole = save_lora(tmp_path / "lora")
    assert "--llm FOLDER, with some/vicuna" in refused(tmp_path / "lora", capsys)
    llm = tmp_path / "llm"
    ours = open_model(imported(tmp_path / "lora", "--llm", str(llm)))
    base = load_file(llm / "model.safetensors")
    for name, tensor in ours.llm.net.state_dict().items():
        place = f"base_model.model.{name.removesuffix('.weight')}"
        added: Any = 0.0
        if f"{place}.lora_A.weight" in adapter:
            added = 2 * adapter[f"{place}.lora_B.weight"] @ adapter[f"{place}.lora_A.weight"]
        assert torch.allclose(tensor, base[name] + added, atol=1e-5)
    bias = whole["base_model.model.model.mm_projector.2.bias"]
    assert torch.equal(ours.projector.layers[2].bias, bias)
    name = next(iter(adapter))
    file = tmp_path / "lora" / "adapter_model.bin"
    torch.save({n: t for n, t in adapter.items() if n != name}, file)
    assert f"tensor {name} is missing" in refused(tmp_path / "lora", capsys, "--llm", str(llm))
    torch.save(adapter | {name: torch.zeros(3, 32)}, file)
    assert f"tensor {name} is (3, 32)" in refused(tmp_path / "lora", capsys, "--llm", str(llm))


def test_other_adapters_are_to_be_merged_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN)
    edit(tmp_path / "hf" / "adapter_config.json", peft_type="LORA")
    assert "merge it first" in refused(tmp_path / "hf", capsys)
    (tmp_path / "hf" / "config.json").unlink()
    assert "merge it first" in refused(tmp_path / "hf", capsys)


def test_a_model_of_vilax_needs_no_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN)
    assert "is a model of vilax" in refused(imported(tmp_path / "hf"), capsys)


@pytest.mark.parametrize("prefix", ["model.mm_projector.", "mm_projector.", ""])
def test_names_of_a_projector_alone(tmp_path: Path, prefix: str) -> None:
    tensors = save_llava(tmp_path / "llava", QWEN, "llava_qwen")
    llm = imported(tmp_path / "llava") / "llm"
    own = {
        f"{prefix}{n.rpartition('mm_projector.')[2]}": t for n, t in tensors.items() if "mm_p" in n
    }
    torch.save(own, tmp_path / "mm_projector.bin")
    words = ["--llm", str(llm), "--encoder", str(tmp_path / "llava" / "tower")]
    ours = open_model(imported(tmp_path / "mm_projector.bin", *words))
    assert torch.equal(ours.projector.layers[2].bias, own[f"{prefix}2.bias"])


def test_a_projector_alone_is_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_llava(tmp_path / "llava", QWEN, "llava_qwen")
    assert "folder" in refused(tmp_path / "llava" / "model.safetensors", capsys)
    assert "config.json: expected" in refused(tmp_path / "llava" / "config.json", capsys)


def test_a_sentencepiece_model_is_the_llms_tokenizer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "llava"
    model = io.BytesIO()
    words = ["the hat is on the cat", "what is in this picture", "a cat and a hat"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words), model_writer=model, vocab_size=290, model_type="bpe",
        byte_fallback=True, minloglevel=2,
    )  # fmt: skip
    save_llava(folder, text_config(LlamaConfig), "llava")
    (folder / "tokenizer.json").unlink()
    said = refused(folder, capsys)
    assert "has no tokenizer" in said
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    config = {"tokenizer_class": "LlamaTokenizer", "legacy": False, "bos_token": "<s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"eos_token": "</s>"}))
    ours = AutoTokenizer.from_pretrained(imported(folder) / "llm")
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    for text in ("the hat is on", "what: a picture?"):
        assert ours(text, add_special_tokens=False)["input_ids"] == theirs.encode(text)


def save_internvit(folder: Path) -> None:
    folder.mkdir()
    names = {"model_type": "intern_vit_6b", "auto_map": {"AutoModel": "modeling.InternVisionModel"}}
    edit(folder / "config.json", **SIZES, image_size=SIDE, patch_size=14, **names)
    tensors = internvit_tensors(32, 48, 2, 5)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def test_vilas_internvit(tmp_path: Path) -> None:
    save_vila(tmp_path / "vila", QWEN, save_internvit)
    ours = open_model(imported(tmp_path / "vila"))
    theirs = InternVit.pretrained(str(tmp_path / "vila" / "vision_tower"))
    own = ours.encoder.net.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in theirs.state_dict().items())
    assert ours.features(torch.zeros(1, 3, SIDE, SIDE)).shape == (1, 4, 32)


def save_clip(folder: Path) -> None:
    CLIPVisionModel(CLIP).save_pretrained(folder)


def test_vilas_s2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    s2 = {"s2": True, "s2_scales": f"{SIDE},{2 * SIDE}", "s2_max_split_size": SIDE}
    save_vila(tmp_path / "vila", QWEN, save_clip, width=64, **s2)
    ours = imported(tmp_path / "vila")
    assert _result(ours)[0].encoder.scales == (SIDE, 2 * SIDE)
    assert open_model(ours).features(torch.zeros(1, 3, 2 * SIDE, 2 * SIDE)).shape == (1, 4, 64)
    edit(tmp_path / "vila" / "config.json", s2_scales=f"{SIDE},{SIDE + 1}")
    assert "s2_scales" in refused(tmp_path / "vila", capsys)


def test_vilas_parts_that_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_vila(tmp_path / "vila", QWEN, save_clip)
    edit(tmp_path / "vila" / "config.json", vision_resolution=56)
    assert "vision_resolution=56" in refused(tmp_path / "vila", capsys)
    (tmp_path / "vila" / "vision_tower").rename(tmp_path / "elsewhere")
    assert "has no vision_tower/: expected --encoder" in refused(tmp_path / "vila", capsys)


def test_a_source_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", QWEN)

    def fetched(name: str, **options: Any) -> str:
        if name != "llava-hf/tiny":
            raise OSError(f"{name} is not there")
        return str(tmp_path / "hf")

    monkeypatch.setattr("vilax.interop.reading.snapshot_download", fetched)
    assert main(["import", "llava-hf/tiny", "--to", str(tmp_path / "ours")]) == 0
    assert main(["import", "llava-hf/tinny", "--to", str(tmp_path / "other")]) == 2
    said = capsys.readouterr().err
    assert "llava-hf/tinny is not there" in said and "is no folder here" in said
    assert main(["import", str(tmp_path / "no"), "--to", str(tmp_path / "other")]) == 2
    assert "no such folder or file" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    to = tmp_path / "file" / "ours"
    assert main(["import", str(tmp_path / "nothing"), "--to", str(to)]) == 2
    assert "cannot hold one" in capsys.readouterr().err
