"""An adapter leaves in peft's layout, is put on its base by peft alone and answers as the merge."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.interop.test_interop import LLMS, open_model, save_original
from vilax.artifacts.store import Entry, Store
from vilax.cli.main import main
from vilax.config.locate import store_dir

WORLD = "{concepts: 16, views: 1, image_size: 32, pages: 8, pairs: 40, instructions: 40}"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An imported LLaVA, beside a store that all tests share."""
    folder = tmp_path_factory.mktemp("peft")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VILAX_OUTPUTS", str(folder / "outputs"))
        save_original(folder / "llava", LLMS["llama"])
        assert main(["import", str(folder / "llava"), "--to", str(folder / "ours")]) == 0
        yield folder / "ours"


def trained(ours: Path, *words: str, order: str = "[sft]") -> Entry:
    """The last stage's result, after stages of a few steps from the imported LLaVA."""
    texts = [f"start={ours}", f"order={order}", "features.cache=false", f"micro={WORLD}"]
    for stage in order.strip("[]").split(","):
        at = f"stages.{stage}"
        texts += [f"{at}.budget={{tokens: 1500}}", f"{at}.length=128", f"{at}.batch=2"]
        texts += [f"{at}.blend.streams=1", f"{at}.rates={{encoder: 0.03, llm: 0.03}}"]
    texts += ["trainer.precision=fp32", "logger=disabled"]
    assert main(["train", *texts, *words]) == 0
    return max(Store(store_dir()).entries(), key=lambda e: e.meta["created"])


FRESH = """
import sys, torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
base, adapter, out = sys.argv[1:]
llm = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
model = PeftModel.from_pretrained(llm, adapter)
model.eval()
with torch.no_grad():
    tokens = torch.tensor([[7, 9, 11, 13]])
    found = {"adapted": model(tokens).logits}
    with model.disable_adapter():
        found["base"] = model(tokens).logits
save_file({n: t.contiguous() for n, t in found.items()}, out)
"""


@pytest.mark.parametrize("policy", ["dora_llm", "lora_encoder_llm"])
def test_an_adapter_on_the_published_weights(ours: Path, tmp_path: Path, policy: str) -> None:
    entry = trained(ours, f"stages.sft.freeze={policy}", "stages.sft.freeze.llm.lora.rank=4")
    out = tmp_path / "out"
    assert main(["export", str(entry.folder), "--format", "peft", "--to", str(out)]) == 0
    settings = json.loads((out / "adapter_config.json").read_text())
    assert settings["peft_type"] == "LORA" and settings["r"] == 4
    assert settings["use_dora"] == (policy == "dora_llm")
    base = settings["base_model_name_or_path"]
    assert Path(base) == ours / "llm" and not (out / "base").exists()
    found = tmp_path / "found.safetensors"
    words = [sys.executable, "-I", "-c", FRESH, base, str(out), str(found)]
    subprocess.run(words, check=True, capture_output=True)
    logits, model = load_file(found), open_model(entry.folder)
    tokens = torch.tensor([[7, 9, 11, 13]])
    with torch.no_grad():
        hidden = model.llm(model.embed(tokens, None), torch.arange(4)[None])
        merged = model.llm.logits(hidden)
    assert torch.allclose(logits["adapted"], merged, atol=1e-4)
    assert float((logits["base"] - merged).abs().max()) > 1e-2
    assert (out / "vision_tower" / "adapter_config.json").exists() == ("encoder" in policy)
    # LLaVA's own names: what reads mm_projector.bin reads this.
    projector = load_file(out / "mm_projector.safetensors")
    assert torch.equal(projector["model.mm_projector.0.weight"], model.projector.layers[0].weight)
    file = out / "mm_projector.safetensors"
    words = ["import", str(file), "--llm", base, "--to", str(tmp_path / "back")]
    assert main([*words, "--encoder", str(ours / "encoder")]) == 0
    back = open_model(tmp_path / "back")
    assert torch.equal(back.projector.layers[2].bias, model.projector.layers[2].bias)
    card = (out / "README.md").read_text()
    assert entry.identity in card and "library_name: peft" in card and f"base_model: {base}" in card


def test_the_base_goes_along_where_a_stage_has_made_it(ours: Path, tmp_path: Path) -> None:
    words = ["stages.pretrain.freeze=llm_and_projector", "stages.sft.freeze=lora_llm"]
    words += ["stages.pretrain.blend=pairs"]
    entry = trained(ours, *words, order="[pretrain,sft]")
    out = tmp_path / "out"
    assert main(["export", str(entry.folder), "--format", "peft", "--to", str(out)]) == 0
    assert (
        json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "base"
    )
    base = AutoModelForCausalLM.from_pretrained(out / "base").state_dict()
    (before,) = [e for e in Store(store_dir()).entries() if e.meta["name"] == "pretrain"]
    own = load_file(before.folder / "llm.safetensors")
    assert torch.equal(base["model.norm.weight"], own["net.model.norm.weight"])
    assert AutoTokenizer.from_pretrained(out).eos_token_id is not None


def test_what_an_adapter_cannot_hold_is_refused(
    ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = trained(ours, "stages.sft.freeze=llm_and_projector")
    words = ["export", str(entry.folder), "--format", "peft", "--to", str(tmp_path / "out")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "adapts no part" in said and "--format vilax can" in said
    assert not (tmp_path / "out").exists()


def test_a_wrong_adapter_is_caught(
    ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = trained(ours, "stages.sft.freeze=dora_llm", "stages.sft.freeze.llm.lora.rank=2")
    from vilax.interop import peft_adapter

    def halved(file: Path) -> Any:
        return {n: t / 2 for n, t in load_file(file).items()}

    monkeypatch.setattr(peft_adapter, "load_file", halved)
    words = ["export", str(entry.folder), "--format", "peft", "--to", str(tmp_path / "out")]
    assert main(words) == 2
    assert "logits differ" in capsys.readouterr().err
