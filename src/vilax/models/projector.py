"""Projectors from encoder features to visual tokens (paper section 3.1 and 4.4; VILA-1.5)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Projector(nn.Module):
    """Maps features [images, tokens, d_vision] to visual tokens [images, tokens', d_llm]."""

    def tokens(self, side: int, extra: int = 0) -> int:
        """Visual tokens of a picture whose features form a side x side grid plus ``extra``."""
        return side * side + extra


class LinearProjector(Projector):
    """One linear layer with bias."""

    def __init__(self, d_vision: int, d_llm: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_vision, d_llm)

    def forward(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images tokens d_llm"]:
        """Project each feature on its own."""
        return self.linear(features)  # type: ignore[no-any-return]


class MlpProjector(Projector):
    """LLaVA-1.5's ``mlp{depth}x_gelu``."""

    def __init__(self, d_vision: int, d_llm: int, depth: int = 2) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(d_vision, d_llm)]
        for _ in range(depth - 1):
            layers += [nn.GELU(), nn.Linear(d_llm, d_llm)]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images tokens d_llm"]:
        """Project each feature on its own."""
        return self.layers(features)  # type: ignore[no-any-return]


class TransformerProjector(Projector):
    """Pre-norm Transformer blocks over a picture's features, then one linear layer.

    The paper names a "Transformer block" and gives no size (paper.md 1.4). Ours: ``blocks``
    pre-norm blocks with MLP of 4x width, no positions (the encoder's features carry theirs),
    token count kept. Without ``width`` they are as wide as the narrower of encoder and LLM; a
    width other than the encoder's adds one linear layer in front.

    Raises:
        ValueError: the heads do not divide the width.
    """

    def __init__(
        self, d_vision: int, d_llm: int, blocks: int = 1, heads: int = 8, width: int | None = None
    ) -> None:
        super().__init__()
        inner = width or min(d_vision, d_llm)
        if inner % heads:
            raise ValueError(
                f"projector.heads={heads} does not divide the projector's width {inner}"
            )
        self.inlet = nn.Linear(d_vision, inner) if inner != d_vision else nn.Identity()
        layer = nn.TransformerEncoderLayer(
            inner, heads, 4 * inner, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, blocks, enable_nested_tensor=False)
        self.outlet = nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, d_llm))

    def forward(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images tokens d_llm"]:
        """Mix the features of each picture, then project."""
        return self.outlet(self.blocks(self.inlet(features)))  # type: ignore[no-any-return]


class DownsampleProjector(Projector):
    """The paper's ``downsample``: join factor x factor tokens on channels, one linear layer."""

    def __init__(self, d_vision: int, d_llm: int, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.layers: nn.Module = nn.Linear(factor * factor * d_vision, d_llm)

    def tokens(self, side: int, extra: int = 0) -> int:
        """ceil(side / factor) squared; a class token has no place in the grid.

        Raises:
            ValueError: ``extra`` is not 0.
        """
        if extra:
            raise ValueError("a projector that joins neighbours cannot take a class token")
        return (-(-side // self.factor)) ** 2

    def forward(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images fewer d_llm"]:
        """Join neighbours, then project."""
        return self.layers(join_neighbours(features, self.factor))  # type: ignore[no-any-return]


class MlpDownsampleProjector(DownsampleProjector):
    """VILA-1.5's ``mlp_downsample``: join, LayerNorm, Linear, GELU, Linear."""

    def __init__(self, d_vision: int, d_llm: int, factor: int = 2) -> None:
        super().__init__(d_vision, d_llm, factor)
        joined = factor * factor * d_vision
        self.layers = nn.Sequential(
            nn.LayerNorm(joined), nn.Linear(joined, d_llm), nn.GELU(), nn.Linear(d_llm, d_llm)
        )


def join_neighbours(
    features: Float[Tensor, "images tokens width"], factor: int
) -> Float[Tensor, "images fewer joined"]:
    """Concatenate each factor x factor neighbourhood of a square grid on channels.

    Grids that ``factor`` does not divide get rows and columns of zeros at the end
    (VILA-1.5 ``mlp_downsample``; paper.md 1.3).
    """
    images, tokens, width = features.shape
    side = int(tokens**0.5)
    if side * side != tokens:
        raise ValueError(f"{tokens} features do not form a square grid")
    grid = features.view(images, side, side, width)
    pad = -side % factor
    if pad:
        grid = nn.functional.pad(grid, (0, 0, 0, pad, 0, pad))
    rows = (side + pad) // factor
    grid = grid.view(images, rows, factor, rows, factor, width).permute(0, 1, 3, 2, 4, 5)
    return torch.reshape(grid, (images, rows * rows, factor * factor * width))
