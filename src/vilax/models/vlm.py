"""The vision-language model: visual tokens spliced into the text of a causal LLM."""

from typing import overload

import torch
import torch.utils.checkpoint
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vilax.models.encoder import Encoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import Projector
from vilax.models.views import Views, Visual

IMAGE_TOKEN = -200
"""Marks a position that holds a visual token (LLaVA's constant; paper.md 1.5)."""

IGNORE = -100
"""Label of a position that carries no loss."""


class VisionLanguageModel(nn.Module):
    """Encoder, projector and LLM; the first two are absent in a text-only stage.

    Raises:
        ValueError: an encoder without a projector, or the reverse.
    """

    def __init__(
        self, encoder: Encoder | None, projector: Projector | None, llm: LanguageModel
    ) -> None:
        super().__init__()
        if (encoder is None) != (projector is None):
            raise ValueError("encoder and projector come together")
        self.encoder = encoder
        self.projector = projector
        self.llm = llm

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.llm.embedding.weight.device

    @property
    def tokens_per_view(self) -> int:
        """Visual tokens of a picture after projection, of pictures in tiles those of one view; 0
        for a text-only model."""
        if self.encoder is None or self.projector is None:
            return 0
        extra = self.encoder.tokens - self.encoder.side**2
        return self.projector.tokens(self.encoder.side, extra)

    @overload
    def features(self, pixels: Tensor) -> Float[Tensor, "images tokens d_vision"]: ...

    @overload
    def features(self, pixels: Views) -> Views: ...

    def features(self, pixels: Visual) -> Visual:
        """Encoder features; without a graph where the whole encoder is frozen.

        Args:
            pixels: normalised pictures [images, 3, size, size], or their views.

        Returns:
            Features [images, tokens, d_vision], or those of the views.
        """
        if self.encoder is None:
            raise ValueError("a text-only model was given pictures")
        if isinstance(pixels, Views):
            return pixels.of(self.features(pixels.values))
        trained = any(p.requires_grad for p in self.encoder.parameters())
        with torch.set_grad_enabled(trained and torch.is_grad_enabled()):
            return self.encoder(pixels)  # type: ignore[no-any-return]

    def seen(self, tokens: Int[Tensor, "rows length"]) -> Bool[Tensor, "rows length"] | None:
        """Where visual tokens stand; None where the LLM treats all tokens alike."""
        return tokens == IMAGE_TOKEN if self.llm.has_experts else None

    def embed(
        self,
        tokens: Int[Tensor, "rows length"],
        features: Visual | None,
    ) -> Float[Tensor, "rows length width"]:
        """Text embeddings with visual tokens in place of ``IMAGE_TOKEN``, in row-major order.

        Raises:
            ValueError: the number of placeholders differs from the number of visual tokens.
        """
        is_visual = tokens == IMAGE_TOKEN
        embeddings: Tensor = self.llm.embedding(tokens.masked_fill(is_visual, 0))
        if features is None:
            if bool(is_visual.any()):
                raise ValueError("the batch holds image placeholders but no pictures")
            return embeddings
        if self.projector is None:
            raise ValueError("a text-only model was given pictures")
        visual = self._projected(features).to(embeddings.dtype)
        placeholders = int(is_visual.sum())
        if placeholders == 0:
            # A rank whose rows hold no picture still runs every trained part, with no effect.
            return embeddings + 0.0 * visual.sum()
        if placeholders != visual.shape[0]:
            raise ValueError(
                f"{placeholders} image placeholders for {visual.shape[0]} visual tokens"
            )
        return embeddings.masked_scatter(is_visual.unsqueeze(-1), visual)

    def _projected(self, features: Visual) -> Float[Tensor, "visual width"]:
        """Visual tokens of all pictures in one row."""
        assert self.projector is not None
        if isinstance(features, Views):
            order = features.order(self.tokens_per_view)
            return self.projector(features.values, order)  # type: ignore[no-any-return]
        return self.projector(features).flatten(0, 1)  # type: ignore[no-any-return]

    def forward(
        self,
        tokens: Int[Tensor, "rows length"],
        positions: Int[Tensor, "rows length"],
        labels: Int[Tensor, "rows length"],
        features: Visual | None = None,
        pixels: Visual | None = None,
        loss_chunk: int = 4096,
    ) -> Float[Tensor, ""]:
        """Summed loss of packed rows; the caller divides by the global count.

        Args:
            tokens: token ids, ``IMAGE_TOKEN`` where a visual token stands.
            positions: restart at 0 with each document.
            labels: aligned with ``tokens``; ``IGNORE`` where no loss is taken.
            features: encoder features of the pictures in row-major order, where cached:
                [images, tokens, d_vision], or views.
            pixels: normalised pictures, where features are to be computed: [images, 3, size, size],
                or views.
            loss_chunk: supervised positions whose logits exist at one time.

        Returns:
            Sum of negative log-likelihoods over supervised tokens, in nats.
        """
        if pixels is not None:
            features = self.features(pixels)
        hidden = self.llm(self.embed(tokens, features), positions, self.seen(tokens))
        return self.loss(hidden, labels, loss_chunk)

    def loss(
        self,
        hidden: Float[Tensor, "rows length width"],
        labels: Int[Tensor, "rows length"],
        chunk: int = 4096,
    ) -> Float[Tensor, ""]:
        """Sum of next-token losses, with logits at supervised positions only, in chunks.

        Each chunk's logits are recomputed in backward, so the whole matrix never exists.
        """
        targets = labels[:, 1:].reshape(-1)
        keep = targets != IGNORE
        states = hidden[:, :-1].reshape(-1, hidden.shape[-1])[keep]
        targets = targets[keep]
        if targets.numel() == 0:
            return 0.0 * hidden.sum()
        total = hidden.new_zeros((), dtype=torch.float32)
        many = states.shape[0] > chunk
        for some, wanted in zip(states.split(chunk), targets.split(chunk), strict=True):
            if many and torch.is_grad_enabled():
                part: Tensor = torch.utils.checkpoint.checkpoint(
                    self._nll, some, wanted, use_reentrant=False
                )
            else:
                part = self._nll(some, wanted)
            total = total + part
        return total

    def _nll(self, states: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self.llm.logits(states), targets, reduction="sum")


def count_supervised(labels: Int[Tensor, "rows length"]) -> int:
    """Supervised tokens of a batch: labels that a preceding position predicts."""
    return int((labels[:, 1:] != IGNORE).sum())
