"""A fresh process that knows nothing of vilax: puts an adapter on its base by peft and answers.

usage: python reload_peft.py FOLDER CASES OUT
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM

NEW_TOKENS = 8


def opened(folder: Path, architecture: Any) -> Any:
    """An adapter on the weights that it names."""
    name = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    source = name["base_model_name_or_path"]
    source = folder / source if (folder / source).is_dir() else source
    base = architecture.from_pretrained(source, dtype=torch.float32)
    base = getattr(base, "vision_model", base) if architecture is AutoModel else base
    return PeftModel.from_pretrained(base, folder).eval()


def main(folder: str, cases: str, out: str) -> None:
    """Logits and a greedy answer of each case; the encoder's features where it is adapted."""
    given, found, place = load_file(cases), {}, Path(folder)
    if (place / "adapter_config.json").is_file():
        model = opened(place, AutoModelForCausalLM)
        seen = {"inputs_embeds": given["image.embeddings"]}
        for name, inputs in (("text", {"input_ids": given["text.tokens"]}), ("image", seen)):
            length = next(iter(inputs.values())).shape[1]
            inputs["attention_mask"] = torch.ones(1, length)
            with torch.no_grad():
                found[f"{name}.logits"] = model(**inputs).logits.contiguous()
                answer = model.generate(
                    **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None
                )
            found[f"{name}.answer"] = answer[:, -NEW_TOKENS:].contiguous()
    tower = place / "vision_tower"
    if (tower / "adapter_config.json").is_file():
        layer = json.loads((place / "config.json").read_text(encoding="utf-8"))
        encoder = opened(tower, AutoModel)
        with torch.no_grad():
            seen = encoder(pixel_values=given["image.pixels"], output_hidden_states=True)
        hidden = seen.hidden_states[layer["mm_vision_select_layer"]]
        found["features"] = hidden.contiguous()
    save_file(found, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
