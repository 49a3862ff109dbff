"""A fresh process that knows nothing of vilax: loads a LLaVA of transformers and answers.

usage: python reload.py FOLDER CASES OUT PICTURE CONVERSATIONS
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, LlavaForConditionalGeneration

NEW_TOKENS = 8

IMAGE_TOKEN = -200
"""Stands for a visual token in the ids of a conversation."""


def main(folder: str, cases: str, out: str, picture: str, conversations: str) -> None:
    """Logits and a greedy answer of each case, the processor's pixels of the picture, and its ids
    of each conversation."""
    loaded: Any = LlavaForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    model, info = loaded
    if info["missing_keys"] or info["unexpected_keys"]:
        raise SystemExit(f"keys do not fit: {info['missing_keys']} {info['unexpected_keys']}")
    model.eval()
    processor: Any = AutoProcessor.from_pretrained(folder)
    with Image.open(picture) as opened:
        pixels = processor.image_processor(opened.convert("RGB"), return_tensors="pt")
    found = {"pixels": pixels["pixel_values"]}
    for number, one in enumerate(json.loads(Path(conversations).read_text(encoding="utf-8"))):
        rendered = processor.apply_chat_template(
            one["turns"],
            add_generation_prompt=one["opened"],
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        ids = rendered["input_ids"][0]
        is_visual = ids == model.config.image_token_id
        found[f"conversation.{number}"] = ids.masked_fill(is_visual, IMAGE_TOKEN)
    given = load_file(cases)
    for name in ("text", "image"):
        tokens = given[f"{name}.tokens"]
        tokens = tokens.masked_fill(tokens < 0, model.config.image_token_id)
        inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        if f"{name}.pixels" in given:
            inputs["pixel_values"] = given[f"{name}.pixels"]
        with torch.no_grad():
            found[f"{name}.logits"] = model(**inputs).logits.contiguous()
            answer = model.generate(
                **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None
            )
        found[f"{name}.answer"] = answer[:, tokens.shape[1] :].contiguous()
    save_file(found, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
