"""What is evaluated: a model, its tokenizer, and how it sees pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from transformers import PreTrainedTokenizerBase

from vilax.data.prompt import PromptEncoder
from vilax.data.tiles import TokensPerImage
from vilax.models.views import Visual
from vilax.models.vlm import VisionLanguageModel

Features = Callable[[Sequence[bytes]], Visual]
"""Encoder features of picture bytes, in their order: [images, tokens, width] or views. It is asked
for a picture again by every batch that shows it, so it should remember what it has encoded."""


@dataclass
class Subject:
    """What is evaluated.

    Attributes:
        model: in evaluation mode.
        tokenizer: the LLM's.
        features: encoder features of picture bytes; None for a text-only model.
        tokens_per_image: positions that a picture takes, where they depend on its size; None: as
            many as the model makes of a view.
    """

    model: VisionLanguageModel
    tokenizer: PreTrainedTokenizerBase
    features: Features | None
    tokens_per_image: TokensPerImage | None = None

    @cached_property
    def prompts(self) -> PromptEncoder:
        """The prompt code of training, for this model's pictures."""
        tokens = self.tokens_per_image
        each = self.model.tokens_per_view
        return PromptEncoder(self.tokenizer, each if tokens is None else tokens)

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
