"""Tiles are those of LLaVA-NeXT and InternVL in transformers: grids, pixels, numbers of tokens."""

import io

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import GotOcr2ImageProcessor, LlavaNextImageProcessor, LlavaNextProcessor
from transformers.image_processing_utils import select_best_resolution
from transformers.models.got_ocr2.image_processing_got_ocr2 import get_optimal_tiled_canvas
from transformers.models.llava_next.modeling_llava_next import unpad_image

from tests.data.bad.pictures import encoded, noise
from vilax.config.schema.model import LLAVA_NEXT
from vilax.data.images import ImageTransform
from vilax.data.tiles import NEWLINE, Anyres, InternvlTiling, TileTokens

HALF = (0.5, 0.5, 0.5)
SIZES = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
GRIDS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=8, unique=True
)


def photo(width: int, height: int) -> bytes:
    return encoded(noise().resize((width, height), PIL.Image.Resampling.BICUBIC), "PNG")


@given(SIZES, GRIDS, st.sampled_from([14, 32, 336]))
@example((640, 480), list(LLAVA_NEXT), 336)
@example((336, 336), list(LLAVA_NEXT), 336)
@settings(max_examples=300)
def test_anyres_takes_the_grid_of_transformers(size, grids, side) -> None:
    width, height = size
    pixels = [[rows * side, columns * side] for rows, columns in grids]
    expected = select_best_resolution((height, width), pixels)
    rows, columns = Anyres(side, tuple(grids)).grid(size)
    if expected is None:
        # A strip that no grid shows a whole pixel of: transformers fails, we take the first.
        assert (rows, columns) == grids[0]
    else:
        assert (rows * side, columns * side) == tuple(expected)


@given(SIZES, GRIDS, st.integers(2, 9))
@example((5000, 1), [(1, 2)], 4)
@settings(max_examples=300)
def test_anyres_reads_the_tokens_of_transformers(size, grids, tokens) -> None:
    """The unpadded grid and its newlines, place by place, as ``pack_image_features`` lays them."""
    width, height = size
    tiling = Anyres(14 * tokens, tuple(grids))
    rows, columns = tiling.grid(size)
    each = tokens * tokens
    laid = torch.arange(rows * columns * each).view(1, rows, columns, tokens, tokens)
    laid = laid.permute(0, 1, 3, 2, 4).reshape(1, rows * tokens, columns * tokens) + each
    shown = unpad_image(laid, (height, width))[0]
    ended = torch.cat([shown, torch.full((shown.shape[0], 1), NEWLINE)], dim=1).flatten()
    order = tiling.order(size, each)
    assert order.tolist() == [*range(each), *ended.tolist()]
    assert tiling.views(size) == 1 + rows * columns
    assert TileTokens(tiling, each)(size) == len(order)


@given(st.lists(SIZES, min_size=1, max_size=20))
def test_anyres_counts_the_tokens_of_transformers_processor(sizes) -> None:
    side, patch = 336, 14
    image = LlavaNextImageProcessor(size={"shortest_edge": side}, crop_size=side)
    processor = LlavaNextProcessor.__new__(LlavaNextProcessor)
    processor.image_processor, processor.patch_size = image, patch
    processor.num_additional_image_tokens = 0
    count = TileTokens(Anyres(side, LLAVA_NEXT), (side // patch) ** 2)
    for width, height in sizes:
        try:
            expected = processor._get_number_of_features(height, width, side, side)
        except TypeError:
            continue
        assert count((width, height)) == expected


def test_published_numbers() -> None:
    """LLaVA-NeXT at 336: a square of 672 and more takes 576 + 48 x 49 tokens, its most."""
    count = TileTokens(Anyres(336, LLAVA_NEXT), 576)
    assert count((672, 672)) == 576 + 48 * 49 == 2928
    # InternVL at 448 with 256 tokens a view: 12 tiles and the whole picture.
    internvl = TileTokens(InternvlTiling(448, 12), 256)
    assert internvl((1792, 1344)) == 13 * 256
    assert internvl((448, 448)) == 256


@pytest.mark.parametrize(
    "size", [(640, 480), (480, 640), (300, 300), (1500, 90), (33, 700), (64, 64), (672, 336)]
)
def test_anyres_pixels_are_those_of_transformers(size) -> None:
    """Bit by bit before normalisation: both resize with torch's kernel."""
    data, side = photo(*size), 56
    pinpoints = [[rows * side, columns * side] for rows, columns in LLAVA_NEXT]
    processor = LlavaNextImageProcessor(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side},
        image_grid_pinpoints=pinpoints, image_mean=HALF, image_std=HALF,
    )  # fmt: skip
    picture = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    expected = processor(picture, return_tensors="pt")["pixel_values"][0]
    transform = ImageTransform(side, "anyres", HALF, HALF, tiling=Anyres(side, LLAVA_NEXT))
    found = transform(data)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-6)
    assert transform.squared(data)[0].dtype == np.uint8


@given(SIZES, st.integers(1, 40), st.sampled_from([32, 448]))
@example((800, 400), 12, 448)
@settings(max_examples=300)
def test_internvl_takes_the_grid_of_transformers(size, most, side) -> None:
    width, height = size
    columns, rows = get_optimal_tiled_canvas((height, width), (side, side), 1, most)
    tiling = InternvlTiling(side, most)
    assert tiling.grid(size) == (rows, columns)
    processor = GotOcr2ImageProcessor(
        size={"height": side, "width": side}, crop_to_patches=True, max_patches=most
    )
    views = processor.get_number_of_image_patches(height, width)
    assert tiling.views(size) == views
    assert tiling.order(size, 3).tolist() == list(range(3 * views))


@pytest.mark.parametrize("size", [(640, 480), (90, 300), (30, 30), (1500, 90), (100, 100)])
def test_internvl_pixels_are_those_of_transformers(size) -> None:
    data, side = photo(*size), 32
    processor = GotOcr2ImageProcessor(
        size={"height": side, "width": side}, crop_to_patches=True, max_patches=12,
        image_mean=HALF, image_std=HALF,
    )  # fmt: skip
    picture = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    expected = processor(picture, return_tensors="pt")["pixel_values"]
    tiling = InternvlTiling(side, 12)
    found = ImageTransform(side, "internvl", HALF, HALF, tiling=tiling)(data)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_whole_picture_comes_first_or_last() -> None:
    left = np.zeros((32, 64, 3), dtype=np.uint8)
    left[:, 32:] = 255
    data = encoded(PIL.Image.fromarray(left), "PNG")
    first = ImageTransform(32, "anyres", HALF, HALF, tiling=Anyres(32, ((1, 2),))).squared(data)[0]
    assert [int(view.mean()) for view in first[1:]] == [0, 255]
    assert 100 < first[0].mean() < 155
    last = ImageTransform(32, "internvl", HALF, HALF, tiling=InternvlTiling(32, 2)).squared(data)[0]
    assert [int(view.mean()) for view in last[:2]] == [0, 255]
    assert np.array_equal(last[2], first[0])


def test_padding_is_black_and_its_tokens_are_left_out() -> None:
    white = encoded(PIL.Image.new("RGB", (64, 32), (255, 255, 255)), "PNG")
    tiling = Anyres(32, ((2, 2),))
    views = ImageTransform(32, "anyres", HALF, HALF, tiling=tiling).squared(white)[0]
    canvas = views[1:].reshape(2, 2, 3, 32, 32).transpose(2, 0, 3, 1, 4).reshape(3, 64, 64)
    assert canvas[:, :16].max() == canvas[:, 48:].max() == 0
    assert canvas[:, 16:48].min() == 255
    order = tiling.order((64, 32), 16)
    assert (order == NEWLINE).sum() == 4
    assert len(order) == 16 + 4 * 9


def test_a_view_without_a_square_of_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="5 visual tokens of a view form no square"):
        Anyres(32, ((1, 2),)).order((9, 9), 5)
