"""Models without weights: on the meta device for counting, as fake tensors for running."""

import copy
from functools import cache
from typing import Any

import torch
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModelForCausalLM,
)
from transformers.initialization import no_init_weights
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from vilax.config.errors import ConfigError
from vilax.config.schema.model import Encoder as EncoderConfig
from vilax.config.schema.model import Llm, ScratchLlm
from vilax.config.schema.run import Run
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.architecture import config_of
from vilax.models.encoder import Encoder
from vilax.models.llm import LanguageModel
from vilax.models.vlm import VisionLanguageModel
from vilax.training.build import blank_encoder, build_projector

KERNEL = "planned"
"""Attention without a mask tensor, as FlashAttention has it."""

AttentionInterface.register(KERNEL, sdpa_attention_forward)
AttentionMaskInterface.register(KERNEL, lambda *given, **named: None)


def llm_config(llm: Llm) -> Any:
    """The LLM's configuration in transformers' words.

    Raises:
        ConfigError: it is not to be had.
    """
    if isinstance(llm, ScratchLlm):
        sizes = llm.model_dump(exclude={"kind", "architecture", "tokenizer"})
        sizes |= {
            "num_key_value_heads": llm.num_attention_heads,
            "tie_word_embeddings": True,
            "vocab_size": len(build_tokenizer()) if llm.tokenizer == "micro" else 32000,
        }
        return AutoConfig.for_model(llm.architecture, **sizes)
    try:
        return config_of(llm.source).get_text_config()
    except (OSError, ValueError) as error:
        raise ConfigError(f"llm {llm.model_dump_json()} cannot be read: {error}") from error


def shallow(config: Any, layers: int | None) -> Any:
    """The same architecture with fewer blocks."""
    if layers is None:
        return config
    changed = copy.deepcopy(config)
    changed.num_hidden_layers = layers
    if getattr(changed, "layer_types", None):
        changed.layer_types = changed.layer_types[:layers]
    return changed


def blank_llm(config: Any) -> LanguageModel:
    """The LLM with tensors of whatever device and mode is set."""
    with no_init_weights():
        net = AutoModelForCausalLM.from_config(config, attn_implementation=KERNEL)
    net.tie_weights()
    return LanguageModel(net, (KERNEL, "planned"))


@cache
def meta_encoder(config: EncoderConfig) -> Encoder:
    """The image encoder on the meta device, to be looked at; who changes it takes a copy.

    Raises:
        ConfigError: there is no such encoder.
    """
    return blank_encoder(config)


def blank_model(run: Run, parts: tuple[str, ...]) -> VisionLanguageModel:
    """The model of a stage on the meta device.

    Raises:
        ConfigError: a part cannot be built.
    """
    with torch.device("meta"):
        llm = blank_llm(llm_config(run.llm))
        if "encoder" not in parts:
            return VisionLanguageModel(None, None, llm)
        # Built once: to measure its features takes a forward pass.
        encoder = copy.deepcopy(meta_encoder(run.encoder))
        policy = run.encoder.image_policy
        projector = build_projector(run.projector, encoder.width, llm.width, policy)
    return VisionLanguageModel(encoder, projector, llm)
