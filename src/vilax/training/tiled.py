"""Pictures in tiles: what data knows of their order, put beside what the model computes with."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from vilax.data.tiles import Size, TileTokens
from vilax.models.views import Views


def as_views(
    values: Float[Tensor, "views ..."],
    counts: Sequence[int],
    sizes: Sequence[Size],
    rule: TileTokens,
) -> Views:
    """Pixels or features of pictures' views with the order of their visual tokens.

    Args:
        values: of all views, one picture's after another's.
        counts: views of each picture.
        sizes: width and height of each picture, in pixels.
        rule: sizes to visual tokens.
    """
    orders = tuple(torch.from_numpy(rule.order(size).copy()) for size in sizes)
    return Views(values, tuple(counts), orders)


def blank_views(values: Float[Tensor, "1 ..."], rule: TileTokens) -> Views:
    """A square picture of the encoder's size whose views are all the same."""
    size = (rule.tiling.side, rule.tiling.side)
    count = rule.tiling.views(size)
    return as_views(values.expand(count, *values.shape[1:]), [count], [size], rule)
