"""Packaged architectures are those that the models' own cards state."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from vilax.models.architecture import config_of, packaged
from vilax.models.encoder import TransformersEncoder

LLMS = {
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Llama-2-13b-hf": 13_015_864_320,
    "lmsys/vicuna-7b-v1.5": 6_738_415_616,
    "lmsys/vicuna-13b-v1.5": 13_015_864_320,
    "meta-llama/Meta-Llama-3-8B-Instruct": 8_030_261_248,
    "princeton-nlp/Sheared-LLaMA-2.7B": 2_701_560_320,
    "NousResearch/Nous-Hermes-2-Yi-34B": 34_388_917_248,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "mistralai/Mistral-7B-v0.3": 7_248_023_552,
    "Qwen/Qwen2.5-7B": 7_615_616_512,
    "Qwen/Qwen3-8B-Base": 8_190_735_360,
    "google/gemma-2-9b": 9_241_705_984,
    "microsoft/Phi-4-mini-instruct": 3_836_021_760,
    "HuggingFaceTB/SmolLM3-3B": 3_075_098_624,
    "allenai/OLMo-2-1124-7B": 7_298_617_344,
}
"""Parameters, a tied table counted once."""

ENCODERS = {
    "openai/clip-vit-large-patch14": (256, 1024, 303_179_776),
    "openai/clip-vit-large-patch14-336": (576, 1024, 303_507_456),
    "google/siglip-so400m-patch14-384": (729, 1152, 428_225_600),
    "google/siglip2-so400m-patch14-384": (729, 1152, 428_225_600),
    "facebook/dinov2-with-registers-large": (1369, 1024, 304_372_736),
    "facebook/dinov3-vitl16-pretrain-lvd1689m": (196, 1024, 303_129_600),
    "OpenGVLab/InternViT-6B-448px-V1-2": (1024, 3200, 5_536_496_000),
}
"""Tokens of a picture, width, parameters."""


def test_all_that_is_packaged_is_checked() -> None:
    assert set(packaged()) == {*LLMS, *ENCODERS}


@pytest.mark.parametrize("source", LLMS)
def test_parameters_of_llms(source: str) -> None:
    with torch.device("meta"):
        net = AutoModelForCausalLM.from_config(config_of(source))
    assert sum(p.numel() for p in net.parameters()) == LLMS[source]


@pytest.mark.parametrize("source", ENCODERS)
def test_parameters_of_encoders(source: str) -> None:
    with torch.device("meta"):
        encoder = TransformersEncoder(source, blank=True)
    count = sum(p.numel() for p in encoder.parameters())
    assert (encoder.tokens, encoder.width, count) == ENCODERS[source]
