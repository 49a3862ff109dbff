"""What is evaluated: a model, its tokenizer, and how it sees pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from vilax.data.prompt import PromptEncoder
from vilax.models.vlm import VisionLanguageModel

Features = Callable[[Sequence[bytes]], Float[Tensor, "images tokens width"]]
"""Encoder features of picture bytes, in their order. It is asked for a picture again by every batch
that shows it, so it should remember what it has encoded."""


@dataclass
class Subject:
    """What is evaluated.

    Attributes:
        model: in evaluation mode.
        tokenizer: the LLM's.
        features: encoder features of picture bytes; None for a text-only model.
    """

    model: VisionLanguageModel
    tokenizer: PreTrainedTokenizerBase
    features: Features | None

    @cached_property
    def prompts(self) -> PromptEncoder:
        """The prompt code of training, for this model's pictures."""
        return PromptEncoder(self.tokenizer, self.model.tokens_per_image)

    @property
    def dtype(self) -> torch.dtype:
        """Numbers that the model computes with."""
        return self.model.llm.embedding.weight.dtype

    def halve(self) -> None:
        """Compute in bf16 from here on; the encoder stays as it is, for its features are cached."""
        self.model.llm.to(torch.bfloat16)
        if self.model.projector is not None:
            self.model.projector.to(torch.bfloat16)

    @property
    def context(self) -> int | None:
        """Tokens that the LLM's positions reach; None where it does not say."""
        config = getattr(self.model.llm.net, "config", None)
        found = getattr(config, "max_position_embeddings", None)
        return found if isinstance(found, int) else None
