"""Prismatic's projector of joined encoders."""

from jaxtyping import Float
from torch import Tensor, nn

from vilax.models.projector import Projector

EXPANSION = 4
"""Width of the first layer's output, in widths of a feature."""


class FusedMlpProjector(Projector):
    """Prismatic's ``fused-gelu-mlp``: Linear to four times the features' width, GELU, Linear to the
    LLM's, GELU, Linear (Prismatic VLMs, arXiv 2402.07865; its FusedMLPProjector).
    """

    def __init__(self, d_vision: int, d_llm: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(d_vision, EXPANSION * d_vision),
            nn.GELU(),
            nn.Linear(EXPANSION * d_vision, d_llm),
            nn.GELU(),
            nn.Linear(d_llm, d_llm),
        )

    def project(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images tokens d_llm"]:
        """Project each feature on its own."""
        return self.layers(features)  # type: ignore[no-any-return]
