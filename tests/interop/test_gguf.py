"""GGUF files become folders that ``llm=FOLDER`` reads."""

import importlib.util
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

from vilax.cli.main import main
from vilax.models.llm import LanguageModel

HEADS, GROUPS, WIDTH = 4, 2, 64
PARTS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
TEXT = "The cat's 12 naïve  hats"


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key as llama.cpp orders them: halves of a rotation side by side."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def write(file: Path, without: str = "") -> dict[str, torch.Tensor]:
    """A Llama whose matrices are quantised to 4 bits; the weights that the file stands for."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tokens = [*bytes_to_unicode().values(), "Ġc", "at", "<|end|>"]
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=WIDTH,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=GROUPS,
        tie_word_embeddings=True,
        max_position_embeddings=128,
    )
    torch.manual_seed(0)
    net = LlamaForCausalLM(config)
    names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
    for layer in range(2):
        for theirs, ours in PARTS.items():
            names[f"blk.{layer}.{theirs}"] = f"model.layers.{layer}.{ours}"
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([*(1 for _ in tokens[:-1]), 3])
    writer.add_token_merges(["Ġ c", "a t"])
    writer.add_bos_token_id(len(tokens) - 1)
    writer.add_eos_token_id(len(tokens) - 1)
    stands_for = {}
    state = net.state_dict()
    for theirs, ours in names.items():
        weight = torch.randn_like(state[f"{ours}.weight"]).numpy()
        kind = gguf.GGMLQuantizationType.F32
        if weight.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            weight = dequantize(quantize(weight, kind), kind)
        stands_for[f"{ours}.weight"] = torch.from_numpy(weight).bfloat16()
        if "attn_q" in theirs or "attn_k" in theirs:
            weight = interleaved(weight, HEADS if "attn_q" in theirs else GROUPS)
        if theirs != without:
            stored = weight if weight.ndim == 1 else quantize(weight, kind)
            writer.add_tensor(f"{theirs}.weight", stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stands_for


@pytest.mark.parametrize("named", ["file", "folder", "package"])
def test_the_folder_holds_what_the_file_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    file = tmp_path / "somewhere" / "llm_of_a_test" / "llm.Q4_1.gguf"
    expected = write(file)
    (file.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "somewhere")
    source = {"file": str(file), "folder": str(file.parent), "package": "package:llm_of_a_test"}
    to = tmp_path / "llm"
    assert main(["import", source[named], "--to", str(to)]) == 0
    assert "llm_of_a_test" not in sys.modules
    found = load_file(to / "model.safetensors")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    llm = LanguageModel.pretrained(str(to), "sdpa", torch.device("cpu"))
    assert llm.width == WIDTH
    tokenizer = AutoTokenizer.from_pretrained(to)
    ids = tokenizer(TEXT)["input_ids"]
    assert tokenizer.decode(ids) == TEXT
    assert {"Ġc", "at"} <= set(tokenizer.convert_ids_to_tokens(ids))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["llm", "somewhere"]


@pytest.mark.parametrize(
    "spoil",
    ["a tensor is missing", "cut short", "of no architecture", "two files", "an LLM beside"],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: str
) -> None:
    file, to, words = tmp_path / "in" / "llm.gguf", tmp_path / "llm", []
    write(file, without="blk.1.ffn_up" if spoil == "a tensor is missing" else "")
    said = {
        "a tensor is missing": "model.layers.1.mlp.up_proj.weight",
        "cut short": str(file),
        "of no architecture": "nollm",
        "two files": "llm.gguf, other.gguf",
        "an LLM beside": "neither --encoder nor --llm",
    }[spoil]
    source = str(file)
    if spoil == "cut short":
        file.write_bytes(file.read_bytes()[:-5000])
    elif spoil == "of no architecture":
        file.write_bytes(file.read_bytes().replace(b"llama", b"nollm"))
    elif spoil == "two files":
        (file.parent / "other.gguf").write_bytes(file.read_bytes())
        source = str(file.parent)
    elif spoil == "an LLM beside":
        words = ["--llm", str(tmp_path)]
    assert main(["import", source, "--to", str(to), *words]) == 2
    assert said in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("place", ["package:no_such_one", "package:json", "package:../x"])
def test_a_package_without_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    assert main(["import", place, "--to", str(tmp_path / "llm")]) == 2
    assert place in capsys.readouterr().err


def test_what_reads_the_format_is_named_where_it_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "llm.gguf"
    write(file)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "gguf" else find(name)
    )
    assert main(["import", str(file), "--to", str(tmp_path / "llm")]) == 2
    assert 'pip install "vilax[gguf]"' in capsys.readouterr().err
