"""Any causal LLM of transformers behind one adapter, with no subclass per family."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from vilax.models.attention import choose_attention
from vilax.models.visual_expert import Route, add_experts

LOGIT_FACTORS = ("logit_scale", "lm_head_multiplier")
"""Keys of Cohere and Falcon-H1 that their logits are multiplied by."""


class LanguageModel(nn.Module):
    """A causal LLM: embeddings in, hidden states or logits out.

    Attributes:
        net: the model of transformers, loss and generation unused.
        width: channels of a token embedding.
        attention: name of the attention implementation and why it was chosen.
        route: which tokens are visual; read by visual experts alone.
        has_experts: whether visual tokens have weights of their own.
    """

    def __init__(self, net: nn.Module, attention: tuple[str, str]) -> None:
        super().__init__()
        self.net = net
        self.attention = attention
        self.route = Route()
        self.has_experts = False

    @classmethod
    def pretrained(cls, source: str, attention: str, device: torch.device) -> "LanguageModel":
        """Load a hub id or local folder in fp32 (compute precision is the trainer's affair)."""
        chosen = _attention_for(AutoConfig.from_pretrained(source), attention, device)
        net = AutoModelForCausalLM.from_pretrained(
            source, attn_implementation=chosen[0], dtype=torch.float32
        )
        return cls(net, chosen)

    @classmethod
    def scratch(
        cls,
        architecture: str,
        sizes: Mapping[str, Any],
        attention: str,
        device: torch.device,
    ) -> "LanguageModel":
        """Random weights of any architecture that transformers knows by ``model_type``.

        Args:
            architecture: ``model_type``, for example ``llama`` or ``qwen2``.
            sizes: keyword arguments of its configuration class.
            attention: requested attention kernel.
            device: where the model will run.
        """
        config = AutoConfig.for_model(architecture, **sizes)
        chosen = _attention_for(config, attention, device)
        net = AutoModelForCausalLM.from_config(config, attn_implementation=chosen[0])
        return cls(net.float(), chosen)

    def checkpoint_activations(self) -> None:
        """Compute what lies within a block anew in the backward pass, instead of keeping it."""
        # Transformers renamed it within version 5.
        enable = getattr(self.net, "activation_checkpointing_enable", None)
        enable = enable or self.net.gradient_checkpointing_enable
        enable({"use_reentrant": False})  # type: ignore[operator]

    @property
    def width(self) -> int:
        """Channels of a token embedding."""
        return int(self.embedding.weight.shape[1])

    @property
    def embedding(self) -> nn.Embedding:
        """Token embedding table."""
        table: nn.Embedding = self.net.get_input_embeddings()  # type: ignore[operator]
        return table

    @property
    def head(self) -> nn.Module:
        """Hidden states to logits."""
        head: nn.Module = self.net.get_output_embeddings()  # type: ignore[operator]
        return head

    @property
    def decoder(self) -> nn.Module:
        """The blocks with their final norm, without the head."""
        decoder: nn.Module = self.net.get_decoder()  # type: ignore[operator]
        return decoder

    def blocks(self) -> Iterator[nn.Module]:
        """Transformer blocks, each a unit of sharding and of activation checkpointing."""
        yield from self.decoder.layers  # type: ignore[misc]

    def add_experts(self) -> None:
        """Give visual tokens weights of their own, copies to begin with; again: nothing.

        Raises:
            ValueError: the blocks have no linear layers.
        """
        if not self.has_experts:
            add_experts(list(self.blocks()), self.route)
            self.has_experts = True

    def forward(
        self,
        embeddings: Float[Tensor, "rows length width"],
        positions: Int[Tensor, "rows length"],
        visual: Bool[Tensor, "rows length"] | None = None,
    ) -> Float[Tensor, "rows length width"]:
        """Final hidden states of packed rows; ``visual`` says where visual tokens stand.

        Documents are told apart by positions that restart at 0: without an attention mask and
        without a cache, transformers derives the block mask (or varlen offsets) from them.
        """
        if self.attention[0] == "flash_attention_2" and embeddings.shape[0] > 1:
            # The varlen path reads document borders off positions in a batch of one row only.
            rows, length, width = embeddings.shape
            seen = None if visual is None else visual.reshape(1, -1)
            flat = self(embeddings.reshape(1, rows * length, width), positions.reshape(1, -1), seen)
            return flat.view(rows, length, width)  # type: ignore[no-any-return]
        self.route.set(visual)
        out = self.decoder(inputs_embeds=embeddings, position_ids=positions, use_cache=False)
        return out.last_hidden_state  # type: ignore[no-any-return]

    def layers(
        self,
        embeddings: Float[Tensor, "rows length width"],
        positions: Int[Tensor, "rows length"],
        visual: Bool[Tensor, "rows length"] | None = None,
    ) -> list[Float[Tensor, "rows length width"]]:
        """What goes into the first block, and what comes out of each; arguments as of a call.

        The last one is taken behind the final norm, as transformers gives it.
        """
        self.route.set(visual)
        out = self.decoder(
            inputs_embeds=embeddings,
            position_ids=positions,
            use_cache=False,
            output_hidden_states=True,
        )
        return list(out.hidden_states)

    def logits(
        self, hidden: Float[Tensor, "*positions width"]
    ) -> Float[Tensor, "*positions vocab"]:
        """Next-token logits in fp32, with the family's own soft cap and factor where it has one."""
        logits: Tensor = self.head(hidden).float()
        cap = getattr(self.net.config, "final_logit_softcapping", None)
        if cap:
            logits = torch.tanh(logits / cap) * cap
        factor = _logit_factor(self.net.config)
        return logits if factor == 1.0 else logits * factor


def _logit_factor(config: Any) -> float:
    """What a family multiplies its head's output by, as its model of transformers does."""
    # Granite divides; HyperCLOVA X multiplies by a key of the same name.
    if scaling := getattr(config, "logits_scaling", None):
        return float(scaling if config.model_type == "hyperclovax" else 1 / scaling)
    for key in LOGIT_FACTORS:
        if (factor := getattr(config, key, None)) is not None:
            return float(factor)
    return 1.0


def _attention_for(config: Any, requested: str, device: torch.device) -> tuple[str, str]:
    model_class = AutoModelForCausalLM._model_mapping[type(config)]
    sdpa, flex = (
        bool(getattr(model_class, f"_supports_{name}", False)) for name in ("sdpa", "flex_attn")
    )
    return choose_attention(requested, device, sdpa, flex)
