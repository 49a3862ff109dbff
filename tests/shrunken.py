"""Small models of random weights on disk, of the architectures that conf/ names."""

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from transformers import AutoImageProcessor, AutoModel, AutoModelForCausalLM

from tests.models.test_encoder import internvit_tensors
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.architecture import build_config, facts

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}


def save_llm(source: str, folder: Path, **sizes: Any) -> Path:
    """A model of the same family, with the micro world's tokenizer."""
    tokenizer = build_tokenizer()
    config = facts(source)["config"] | SMALL | {"num_key_value_heads": 2}
    config |= {"max_position_embeddings": 256, "vocab_size": len(tokenizer)}
    config |= {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id")}
    config |= {"pad_token_id": tokenizer.pad_token_id} | sizes
    config |= {"head_dim": 8} if "head_dim" in config else {}
    torch.manual_seed(0)
    net = AutoModelForCausalLM.from_config(build_config(config))
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_encoder(source: str, folder: Path) -> Path:
    """An image encoder of the same family, of 28 pixels."""
    known = facts(source)
    patch = known["config"]["patch_size"]
    config = known["config"] | SMALL | {"image_size": 2 * patch}
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    if config["model_type"] == "intern_vit_6b":
        (folder / "config.json").write_text(json.dumps(config))
        save_file(internvit_tensors(32, 48, 3, 5), folder / "model.safetensors")
    else:
        AutoModel.from_config(build_config(config)).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(known["preprocessor"]))
    AutoImageProcessor.from_pretrained(folder)
    return folder


def shrink_timm(monkeypatch: Any) -> None:
    """Make timm build its architectures with few and narrow blocks."""
    build = timm.create_model

    def small(name: str, **options: Any) -> Any:
        if "convnext" in name:
            options |= {"depths": (1, 1, 2, 1), "dims": (8, 16, 24, 32)}
        elif "patch" in name:
            options |= {"embed_dim": 32, "depth": 3, "num_heads": 4}
        return build(name, **options)

    monkeypatch.setattr(timm, "create_model", small)
