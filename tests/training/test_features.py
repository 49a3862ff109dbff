"""The feature cache: cached equals computed, bit for bit, in any company and any process."""

import io

import pytest
import torch
from PIL import Image

from vilax.data.images import ImageTransform
from vilax.data.tiles import Anyres, TileTokens
from vilax.models.encoder import TimmEncoder
from vilax.training.features import FeatureSource


def picture(seed: int, height: int = 40) -> bytes:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 255, (height, 30, 3), generator=generator, dtype=torch.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def parts() -> tuple[TimmEncoder, ImageTransform]:
    torch.manual_seed(0)
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1).eval()
    return encoder, ImageTransform(64, "resize", encoder.mean, encoder.std)


def test_cached_equals_computed_whatever_the_company(parts, tmp_path) -> None:
    encoder, transform = parts
    first = FeatureSource(encoder, transform, tmp_path)
    together = first([picture(seed) for seed in range(5)])
    first.flush()
    again = FeatureSource(encoder, transform, tmp_path)
    encoder.forward = None  # a second look must not compute
    assert torch.equal(again([picture(3), picture(0)]), together[[3, 0]])


def test_alone_equals_in_a_batch_and_the_plain_encoder(parts) -> None:
    encoder, transform = parts
    together = FeatureSource(encoder, transform, None)([picture(seed) for seed in range(5)])
    alone = FeatureSource(encoder, transform, None)([picture(4)])
    assert torch.equal(together[4], alone[0])
    with torch.no_grad():
        plain = encoder(transform(picture(4))[None])
    assert torch.allclose(alone, plain, atol=1e-5)


def test_other_weights_do_not_find_the_cache(parts, tmp_path) -> None:
    encoder, transform = parts
    source = FeatureSource(encoder, transform, tmp_path)
    source([picture(0)])
    source.flush()
    with torch.no_grad():
        encoder.net.conv_head.weight += 1
    assert FeatureSource(encoder, transform, tmp_path).folder != source.folder


def test_views_of_pictures_in_tiles_are_cached_alike(tmp_path) -> None:
    torch.manual_seed(0)
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1).eval()
    tiling = Anyres(64, ((1, 1), (2, 1)))
    transform = ImageTransform(64, "anyres", encoder.mean, encoder.std, tiling=tiling)
    rule = TileTokens(tiling, encoder.tokens)
    # More views than are computed at one time, of pictures of two grids.
    pictures = [picture(seed, 130 if seed % 2 else 40) for seed in range(8)]
    source = FeatureSource(encoder, transform, tmp_path, rule)
    found = source(pictures)
    source.flush()
    assert found.counts == (2, 3) * 4
    assert found.tokens == [rule((30, 40)), rule((30, 130))] * 4
    alone = FeatureSource(encoder, transform, None, rule)(pictures[4:5])
    assert torch.equal(alone.values, found[[4]].values)
    with torch.no_grad():
        assert torch.allclose(encoder(transform(pictures[4])), alone.values, atol=1e-5)
    folder = source.folder
    wider = Anyres(64, ((3, 1),))
    other = ImageTransform(64, "anyres", encoder.mean, encoder.std, tiling=wider)
    assert FeatureSource(encoder, other, tmp_path, TileTokens(wider, 4)).folder != folder
    again = FeatureSource(encoder, transform, tmp_path, rule)
    encoder.forward = None  # a second look must not compute
    assert torch.equal(again(pictures[::-1]).values, found[list(range(8))[::-1]].values)
