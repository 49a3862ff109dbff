"""Tiny models of random weights."""

import pytest
import torch

from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel

SIZES = {
    "vocab_size": 61,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


@pytest.fixture
def tiny_llm() -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel.scratch("llama", SIZES, "sdpa", torch.device("cpu")).eval()


@pytest.fixture
def tiny_vlm(tiny_llm: LanguageModel) -> VisionLanguageModel:
    torch.manual_seed(1)
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    return VisionLanguageModel(encoder, LinearProjector(encoder.width, 32), tiny_llm).eval()
