"""Flamingo's Perceiver resampler."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vilax.models.projector import Projector


class ResamplerProjector(Projector):
    """Flamingo's projector: learned queries read a picture's features.

    Each block: the queries attend to features and queries together, then a 4x MLP, both pre-norm
    and residual; at the end LayerNorm and Linear. Features get no further positions. Flamingo
    (arXiv 2204.14198), section 3.1 and appendix A.1.1.

    Args:
        d_vision: channels of a feature; the blocks are as wide.
        d_llm: channels of a visual token.
        queries: visual tokens of a picture, whatever its grid.
        blocks: number of blocks.
        heads: attention heads.

    Raises:
        ValueError: the heads do not divide the width.
    """

    def __init__(
        self, d_vision: int, d_llm: int, queries: int = 64, blocks: int = 6, heads: int = 16
    ) -> None:
        super().__init__()
        if d_vision % heads:
            raise ValueError(
                f"projector.heads={heads} does not divide the projector's width {d_vision}"
            )
        self.queries = nn.Parameter(torch.randn(queries, d_vision) * d_vision**-0.5)
        self.blocks = nn.ModuleList(_ResamplerBlock(d_vision, heads) for _ in range(blocks))
        self.outlet = nn.Sequential(nn.LayerNorm(d_vision), nn.Linear(d_vision, d_llm))

    def tokens(self, side: int, extra: int = 0) -> int:
        """As many as there are queries."""
        return self.queries.shape[0]

    def project(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images queries d_llm"]:
        """Read each picture into the queries, then project."""
        states = self.queries.to(features.dtype).expand(features.shape[0], -1, -1)
        for block in self.blocks:
            states = block(states, features)
        return self.outlet(states)  # type: ignore[no-any-return]


class _ResamplerBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.feature_norm = nn.LayerNorm(width)
        self.query_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Linear(4 * width, width, bias=False),
        )

    def forward(self, states: Tensor, features: Tensor) -> Tensor:
        normed = self.query_norm(states)
        seen = torch.cat([self.feature_norm(features), normed], dim=1)
        query = self._split(self.query(normed))
        key, value = (self._split(part) for part in self.key_value(seen).chunk(2, dim=-1))
        read = nn.functional.scaled_dot_product_attention(query, key, value)
        states = states + self.out(read.transpose(1, 2).flatten(2))
        widened: Tensor = self.mlp(states)
        return states + widened

    def _split(self, some: Tensor) -> Tensor:
        parts: Tensor = some.view(*some.shape[:2], self.heads, -1)
        return parts.transpose(1, 2)
