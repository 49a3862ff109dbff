"""Projectors: shapes, token counts, and the joining of neighbours."""

import pytest
import torch

from vilax.models.projector import (
    AveragePoolProjector,
    DownsampleProjector,
    IdentityProjector,
    LinearProjector,
    MlpDownsampleProjector,
    MlpProjector,
    PixelShuffleProjector,
    TransformerProjector,
    join_neighbours,
)
from vilax.models.resampler import ResamplerProjector


@pytest.mark.parametrize(
    ("projector", "side", "tokens"),
    [
        (LinearProjector(16, 8), 4, 16),
        (MlpProjector(16, 8, 3), 4, 16),
        (TransformerProjector(16, 8, blocks=2, heads=4), 4, 16),
        (TransformerProjector(16, 8, heads=4, width=12), 4, 16),
        (DownsampleProjector(16, 8), 4, 4),
        (DownsampleProjector(16, 8), 5, 9),
        (MlpDownsampleProjector(16, 8), 3, 4),
        (PixelShuffleProjector(16, 8), 4, 4),
        (AveragePoolProjector(16, 8), 5, 9),
        (ResamplerProjector(16, 8, queries=7, blocks=2, heads=4), 3, 7),
    ],
)
def test_stated_token_count_is_what_comes_out(projector, side: int, tokens: int) -> None:
    assert projector.tokens(side) == tokens
    assert projector(torch.randn(2, side * side, 16)).shape == (2, tokens, 8)


def test_paper_token_counts() -> None:
    """Paper Table 7: 256 at 224 px, 576 at 336 px, 144 downsampled; VILA-1.5: 196 of 27 x 27."""
    assert LinearProjector(1, 1).tokens(16) == 256
    assert LinearProjector(1, 1).tokens(24) == 576
    assert DownsampleProjector(1, 1).tokens(24) == 144
    assert MlpDownsampleProjector(1, 1).tokens(27) == 196


def test_neighbours_are_joined_row_by_row_and_odd_edges_are_zero() -> None:
    grid = torch.arange(1.0, 10.0).view(1, 9, 1)
    joined = join_neighbours(grid, 2)
    assert joined.tolist() == [[[1, 2, 4, 5], [3, 0, 6, 0], [7, 8, 0, 0], [9, 0, 0, 0]]]


def test_class_token_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="class token"):
        DownsampleProjector(1, 1).tokens(4, extra=1)


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match=r"heads=5.*width 8"):
        TransformerProjector(16, 8, heads=5)


def test_pixel_shuffle_joins_the_neighbours_of_internvl() -> None:
    from transformers import InternVLModel

    features = torch.randn(2, 16, 3)
    theirs = InternVLModel.pixel_shuffle(None, features.view(2, 4, 4, 3), 0.5).reshape(2, 4, 12)
    ours = PixelShuffleProjector(3, 5)
    joined = []
    ours.layers[0].register_forward_pre_hook(lambda module, given: joined.append(given[0]))
    ours(features)
    assert torch.equal(joined[0], theirs)
    with pytest.raises(ValueError, match="factor that divides it"):
        ours.tokens(27)


def test_average_pool_averages() -> None:
    pool = AveragePoolProjector(1, 1)
    pool.layers = torch.nn.Identity()
    grid = torch.arange(1.0, 10.0).view(1, 9, 1)
    assert pool(grid).flatten().tolist() == [3.0, 4.5, 7.5, 9.0]


def test_resampler_reads_all_features() -> None:
    torch.manual_seed(0)
    resampler = ResamplerProjector(16, 8, queries=3, blocks=1, heads=4)
    features = torch.randn(1, 5, 16, requires_grad=True)
    resampler(features).square().sum().backward()
    assert bool((features.grad.abs().sum(-1) > 0).all())


def test_identity_wants_equal_widths() -> None:
    features = torch.randn(1, 4, 8)
    assert IdentityProjector(8, 8)(features) is features
    with pytest.raises(ValueError, match="width 16 and an LLM of width 8"):
        IdentityProjector(16, 8)
