"""Projectors from encoder features to visual tokens (paper section 3.1 and 4.4; VILA-1.5)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Projector(nn.Module):
    """Maps features [images, tokens, d_vision] to visual tokens [images, tokens', d_llm].

    Attributes:
        newline: a learned visual token that ends each row of a picture in tiles; None: there is
            none.
    """

    newline: nn.Parameter | None

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("newline", None)

    def add_newline(self, d_llm: int) -> None:
        """Give it a newline, of LLaVA-NeXT's initial scale: deviation 1 / sqrt(d_llm)."""
        self.newline = nn.Parameter(torch.randn(d_llm) * d_llm**-0.5)

    def tokens(self, side: int, extra: int = 0) -> int:
        """Visual tokens of a picture whose features form a side x side grid plus ``extra``."""
        return side * side + extra

    def forward(
        self,
        features: Float[Tensor, "views tokens d_vision"],
        order: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "views fewer d_llm"] | Float[Tensor, "n d_llm"]:
        """Visual tokens of each view; with an order, those that it names, in one row.

        Args:
            features: of pictures, or of views of pictures.
            order: places in the visual tokens of all views, counted view after view; -1: the
                newline.
        """
        visual = self.project(features)
        if order is None:
            return visual
        flat = visual.flatten(0, 1)
        if self.newline is not None:
            flat = torch.cat([flat, self.newline.to(flat.dtype)[None]])
        return flat[order]

    def project(self, features: Tensor) -> Float[Tensor, "views fewer d_llm"]:
        """Visual tokens of each view."""
        raise TypeError(f"{type(self).__name__} does not say how to project features")


class LinearProjector(Projector):
    """One linear layer with bias."""

    def __init__(self, d_vision: int, d_llm: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_vision, d_llm)

    def project(
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

    def project(
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

    def project(
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

    def project(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images fewer d_llm"]:
        """Join neighbours, then project."""
        return self.layers(join_neighbours(features, self.factor))  # type: ignore[no-any-return]


class MlpDownsampleProjector(DownsampleProjector):
    """VILA-1.5's ``mlp_downsample``: join, LayerNorm, Linear, GELU, Linear.

    As in VILA's code, the joined tokens stand column by column.
    """

    def __init__(self, d_vision: int, d_llm: int, factor: int = 2) -> None:
        super().__init__(d_vision, d_llm, factor)
        self.layers = _norm_mlp(factor * factor * d_vision, d_llm)

    def project(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images fewer d_llm"]:
        """Join neighbours, order them by columns, then project."""
        joined = join_neighbours(features, self.factor)
        side = square_side(joined.shape[1])
        by_column = joined.unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2)
        return self.layers(by_column)  # type: ignore[no-any-return]


class PixelShuffleProjector(DownsampleProjector):
    """InternVL's: space to depth, LayerNorm, Linear, GELU, Linear.

    It differs from ``mlp_downsample`` in the order of the joined channels (columns vary slowest,
    as in InternVL's second pixel shuffle), and takes no grid that ``factor`` does not divide.
    """

    def __init__(self, d_vision: int, d_llm: int, factor: int = 2) -> None:
        super().__init__(d_vision, d_llm, factor)
        self.layers = _norm_mlp(factor * factor * d_vision, d_llm)

    def tokens(self, side: int, extra: int = 0) -> int:
        """side / factor, squared.

        Raises:
            ValueError: ``extra`` is not 0, or ``factor`` does not divide the side.
        """
        if side % self.factor:
            raise ValueError(
                f"projector.kind=pixel_shuffle with projector.factor={self.factor} on a grid of"
                f" {side} x {side}: expected a factor that divides it, or mlp_downsample"
            )
        return super().tokens(side, extra)

    def project(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images fewer d_llm"]:
        """Join neighbours, then project.

        Raises:
            ValueError: ``factor`` does not divide the grid.
        """
        self.tokens(square_side(features.shape[1]))
        return self.layers(join_neighbours(features, self.factor))  # type: ignore[no-any-return]


class AveragePoolProjector(DownsampleProjector):
    """Means of factor x factor neighbours, then LLaVA-1.5's two-layer MLP.

    A grid that ``factor`` does not divide has smaller neighbourhoods at its last row and column.
    """

    def __init__(self, d_vision: int, d_llm: int, factor: int = 2) -> None:
        super().__init__(d_vision, d_llm, factor)
        self.layers = nn.Sequential(nn.Linear(d_vision, d_llm), nn.GELU(), nn.Linear(d_llm, d_llm))

    def project(
        self, features: Float[Tensor, "images tokens d_vision"]
    ) -> Float[Tensor, "images fewer d_llm"]:
        """Pool, then project."""
        side = square_side(features.shape[1])
        grid = features.transpose(1, 2).unflatten(2, (side, side))
        pooled = nn.functional.avg_pool2d(grid, self.factor, ceil_mode=True)
        return self.layers(pooled.flatten(2).transpose(1, 2))  # type: ignore[no-any-return]


class IdentityProjector(Projector):
    """Features as they are, for encoders as wide as the LLM.

    Raises:
        ValueError: the widths differ.
    """

    def __init__(self, d_vision: int, d_llm: int) -> None:
        super().__init__()
        if d_vision != d_llm:
            raise ValueError(
                f"projector.kind=identity with an encoder of width {d_vision} and an LLM of width"
                f" {d_llm}: expected equal widths, or projector=linear"
            )

    def project(
        self, features: Float[Tensor, "images tokens width"]
    ) -> Float[Tensor, "images tokens width"]:
        """The features."""
        return features


def _norm_mlp(joined: int, d_llm: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(joined), nn.Linear(joined, d_llm), nn.GELU(), nn.Linear(d_llm, d_llm)
    )


def square_side(tokens: int) -> int:
    """Side of a square grid.

    Raises:
        ValueError: so many features form no square.
    """
    side = int(tokens**0.5)
    if side * side != tokens:
        raise ValueError(f"{tokens} features do not form a square grid")
    return side


def join_neighbours(
    features: Float[Tensor, "images tokens width"], factor: int
) -> Float[Tensor, "images fewer joined"]:
    """Concatenate each factor x factor neighbourhood of a square grid on channels.

    Grids that ``factor`` does not divide get rows and columns of zeros at the end
    (VILA-1.5 ``mlp_downsample``; paper.md 1.3).
    """
    images, tokens, width = features.shape
    side = square_side(tokens)
    grid = features.view(images, side, side, width)
    pad = -side % factor
    if pad:
        grid = nn.functional.pad(grid, (0, 0, 0, pad, 0, pad))
    rows = (side + pad) // factor
    grid = grid.view(images, rows, factor, rows, factor, width).permute(0, 1, 3, 2, 4, 5)
    return torch.reshape(grid, (images, rows * rows, factor * factor * width))
