"""Every LLM family: one step on a conversation of two turns, its supervised text, an answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.shrunken import SMALL, save_llm
from vilax.data.document import Document, Image, Text
from vilax.data.prompt import IGNORE, PromptEncoder
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.architecture import build_config
from vilax.models.decoding import generate
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel

PACKAGED = {
    "llama 2": "meta-llama/Llama-2-7b-hf",
    "vicuna": "lmsys/vicuna-7b-v1.5",
    "llama 3": "meta-llama/Meta-Llama-3-8B-Instruct",
    "mistral": "mistralai/Mistral-7B-v0.3",
    "qwen 2.5": "Qwen/Qwen2.5-7B",
    "qwen 3": "Qwen/Qwen3-8B-Base",
    "gemma 2": "google/gemma-2-9b",
    "phi": "microsoft/Phi-4-mini-instruct",
    "smollm 2": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "smollm 3": "HuggingFaceTB/SmolLM3-3B",
    "olmo 2": "allenai/OLMo-2-1124-7B",
}
OTHERS: dict[str, dict[str, Any]] = {
    "gemma 3": {"model_type": "gemma3_text", "head_dim": 8, "num_key_value_heads": 2},
    "phi 2": {"model_type": "phi"},
    "qwen 2": {"model_type": "qwen2", "num_key_value_heads": 2},
}
TALK = Document(
    "talk",
    "talks",
    (
        Image(b""),
        Text("what is this ?", loss=False, role="user"),
        Text("this is the apple", loss=True, role="assistant"),
        Text("and this ?", loss=False, role="user"),
        Text("a lemon and a cat", loss=True, role="assistant"),
    ),
)


def load(family: str, folder: Path) -> LanguageModel:
    if family in PACKAGED:
        save_llm(PACKAGED[family], folder)
    else:
        vocabulary = {"vocab_size": len(build_tokenizer()), "max_position_embeddings": 256}
        config = OTHERS[family] | SMALL | vocabulary | {"pad_token_id": 0}
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(build_config(config)).save_pretrained(folder)
    return LanguageModel.pretrained(str(folder), "auto", torch.device("cpu"))


@pytest.mark.parametrize("family", [*PACKAGED, *OTHERS])
def test_a_family_learns_a_conversation_and_answers(family: str, tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    llm = load(family, tmp_path)
    torch.manual_seed(1)
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    model = VisionLanguageModel(encoder, LinearProjector(encoder.width, llm.width), llm)
    prompts = PromptEncoder(tokenizer, model.tokens_per_image)
    talk = prompts.document(TALK, "vicuna_v1_nosys")
    supervised = tokenizer.decode(talk.labels[talk.labels != IGNORE])
    end = tokenizer.eos_token
    print(f"{family}: {supervised}")
    assert supervised.replace(" ", "") == f"thisistheapple{end}alemonandacat{end}"
    tokens = torch.from_numpy(talk.tokens)[None]
    labels = torch.from_numpy(talk.labels)[None]
    positions = torch.arange(tokens.shape[1])[None]
    pixels = torch.randn(1, 3, 64, 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(3):
        loss = model(tokens, positions, labels, pixels=pixels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    model.eval()
    prompt = prompts.prompt(Document("ask", "talks", TALK.segments[:2]), "vicuna_v1_nosys")
    with torch.no_grad():
        features = model.features(pixels)
    (answer,) = generate(model, [prompt.tokens.tolist()], [features], 4, (), 0)
    assert len(answer) == 4
    # The same, without a cache.
    known = prompt.tokens
    for token in answer:
        row = torch.from_numpy(known)[None]
        with torch.no_grad():
            hidden = model.llm(model.embed(row, features), torch.arange(len(known))[None])
        assert int(model.llm.logits(hidden[:, -1]).argmax()) == token
        known = np.append(known, token)
