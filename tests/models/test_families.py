"""Every LLM family: one step on a conversation of two turns, its supervised text, an answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.chat_templates import FAMILIES, save_chat_tokenizer
from tests.shrunken import SMALL, save_llm
from vilax.data.document import Document, Image, Text
from vilax.data.prompt import IGNORE, Encoded, PromptEncoder
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
SCALED: dict[str, dict[str, Any]] = {
    "cohere": {"logit_scale": 0.0625},
    "cohere2": {"logit_scale": 0.25},
    "granite": {"logits_scaling": 8.0},
    "hyperclovax": {"logits_scaling": 0.125},
    "falcon_h1": {
        "lm_head_multiplier": 0.04,
        "head_dim": 8,
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_head": 8,
        "mamba_d_state": 8,
    },
    "gemma2": {"final_logit_softcapping": 0.1, "head_dim": 8, "query_pre_attn_scalar": 8},
}
"""Families whose logits are not what their head puts out."""
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


def load(family: str, folder: Path, **sizes: int) -> LanguageModel:
    if family in PACKAGED:
        save_llm(PACKAGED[family], folder, **sizes)
    else:
        vocabulary = {"vocab_size": len(build_tokenizer()), "max_position_embeddings": 256}
        config = OTHERS[family] | SMALL | vocabulary | {"pad_token_id": 0} | sizes
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(build_config(config)).save_pretrained(folder)
    return LanguageModel.pretrained(str(folder), "auto", torch.device("cpu"))


def build(family: str, folder: Path, **sizes: int) -> VisionLanguageModel:
    llm = load(family, folder, **sizes)
    torch.manual_seed(1)
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    return VisionLanguageModel(encoder, LinearProjector(encoder.width, llm.width), llm)


def learn(
    model: VisionLanguageModel, talk: Encoded, pixels: torch.Tensor, steps: int, rate: float = 3e-3
) -> list[float]:
    tokens = torch.from_numpy(talk.tokens)[None]
    labels = torch.from_numpy(talk.labels)[None]
    positions = torch.arange(tokens.shape[1])[None]
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        loss = model(tokens, positions, labels, pixels=pixels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("family", [*PACKAGED, *OTHERS])
def test_a_family_learns_a_conversation_and_answers(family: str, tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    model = build(family, tmp_path)
    prompts = PromptEncoder(tokenizer, model.tokens_per_view)
    talk = prompts.document(TALK, "vicuna_v1_nosys")
    supervised = tokenizer.decode(talk.labels[talk.labels != IGNORE])
    end = tokenizer.eos_token
    print(f"{family}: {supervised}")
    assert supervised.replace(" ", "") == f"thisistheapple{end}alemonandacat{end}"
    pixels = torch.randn(1, 3, 64, 64)
    losses = learn(model, talk, pixels, 3)
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


@pytest.mark.parametrize("family", [*PACKAGED, *OTHERS])
def test_a_family_learns_its_own_chat_template_and_ends_its_turns(
    family: str, tmp_path: Path
) -> None:
    tokenizer = save_chat_tokenizer(FAMILIES[family], tmp_path / "tokenizer")
    model = build(family, tmp_path / "llm", vocab_size=len(tokenizer))
    prompts = PromptEncoder(tokenizer, model.tokens_per_view)
    talk = prompts.document(TALK, "tokenizer")
    supervised = tokenizer.decode(talk.labels[talk.labels != IGNORE])
    print(f"{family}: {supervised}")
    assert supervised == FAMILIES[family].supervised
    pixels = torch.randn(1, 3, 64, 64)
    by_heart = family == "llama 3"
    losses = learn(model, talk, pixels, 80 if by_heart else 6, 6e-3 if by_heart else 3e-3)
    assert losses[-1] < losses[0]
    model.eval()
    prompt = prompts.prompt(Document("ask", "talks", TALK.segments[:4]), "tokenizer")
    assert prompt.tokens.tolist() == talk.tokens[: len(prompt.tokens)].tolist()
    if not by_heart:
        return
    with torch.no_grad():
        features = model.features(pixels)
    stops = prompts.stops("tokenizer")
    (answer,) = generate(model, [prompt.tokens.tolist()], [features], 40, stops, 0)
    # Ended by what closes a turn, long before the 40th token.
    assert tokenizer.decode(answer).strip() == "a lemon and a cat"


@pytest.mark.parametrize("model_type", SCALED)
def test_logits_are_the_familys_own(model_type: str) -> None:
    sizes = SMALL | {"vocab_size": 64, "num_key_value_heads": 2, "pad_token_id": 0}
    torch.manual_seed(0)
    sizes |= SCALED[model_type]
    llm = LanguageModel.scratch(model_type, sizes, "auto", torch.device("cpu")).eval()
    ids = torch.randint(1, 64, (1, 7))
    with torch.no_grad():
        theirs = llm.net(input_ids=ids).logits
        head = llm.head(llm.net.base_model(input_ids=ids).last_hidden_state)
        ours = llm.logits(llm.net.base_model(input_ids=ids).last_hidden_state)
    torch.testing.assert_close(ours, theirs)
    assert not torch.allclose(head, theirs, atol=1e-3)
