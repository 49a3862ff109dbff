"""Pictures become square pixels by three policies."""

import time

import numpy as np
import PIL.Image
import pytest
import torch
from transformers import CLIPImageProcessor

from tests.data.bad.pictures import encoded, noise
from vilax.data.images import ImageTransform

HALF = (0.5, 0.5, 0.5)
UNEVEN = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@pytest.fixture
def wide() -> bytes:
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 10:20] = 255
    return encoded(PIL.Image.fromarray(pixels), "PNG")


@pytest.mark.parametrize("policy", ["pad", "resize", "crop"])
def test_policies(wide: bytes, policy: str) -> None:
    out = ImageTransform(12, policy, HALF, HALF)(wide)  # type: ignore[arg-type]
    assert out.shape == (3, 12, 12)
    assert out.dtype == torch.float32
    corner, centre = float(out[0, 0, 0]), float(out[0, 6, 6])
    assert centre > 0.8
    assert corner == pytest.approx({"pad": 0.0, "resize": -1.0, "crop": 1.0}[policy], abs=0.15)


def test_normalisation_and_interpolation(wide: bytes) -> None:
    plain = ImageTransform(8, "resize", (0, 0, 0), (1, 1, 1), "bilinear")(wide)
    scaled = ImageTransform(8, "resize", HALF, (0.25,) * 3, "bilinear")(wide)
    assert torch.allclose(scaled, (plain - 0.5) / 0.25)
    assert float(plain.min()) >= 0
    assert float(plain.max()) <= 1
    cubic = ImageTransform(8, "resize", (0, 0, 0), (1, 1, 1))(wide)
    assert not torch.equal(cubic, plain)


def test_a_call_is_squaring_then_normalising_bit_by_bit() -> None:
    transform = ImageTransform(40, "pad", *UNEVEN)
    data = encoded(noise().resize((60, 33)), "PNG")
    pixels, notes = transform.squared(data)
    assert (pixels.shape, pixels.dtype, notes) == ((3, 40, 40), np.uint8, ())
    assert pixels.flags["C_CONTIGUOUS"]
    whole = transform(data)
    # The order of operations that earlier results were made with.
    mean, std = (torch.tensor(v, dtype=torch.float32)[:, None, None] for v in UNEVEN)
    before = (torch.from_numpy(np.array(pixels, dtype=np.float32) / 255.0) - mean) / std
    assert torch.equal(whole, before)
    assert whole.is_contiguous()
    batch = transform.normalise(torch.from_numpy(np.stack([pixels, pixels[:, ::-1]])))
    assert torch.equal(batch[0], whole)
    assert torch.equal(batch[1], whole.flip(1))
    levels = torch.arange(256, dtype=torch.uint8).expand(3, 1, 256)
    every = (torch.from_numpy(levels.numpy().astype(np.float32) / 255.0) - mean) / std
    assert torch.equal(transform.normalise(levels), every)


def test_strips_cost_no_more_than_their_pixels() -> None:
    for size in ((60_000, 3), (3, 60_000)):
        strip = encoded(PIL.Image.new("RGB", size, (200, 10, 10)), "PNG")
        for policy in ("pad", "resize", "crop"):
            begun = time.perf_counter()
            out = ImageTransform(24, policy, HALF, HALF)(strip)  # type: ignore[arg-type]
            assert time.perf_counter() - begun < 2
            assert out.shape == (3, 24, 24)
            assert float(out[0, 12, 12]) > (0.0 if policy == "pad" else 0.5)


@pytest.mark.parametrize("size", [(140, 90), (90, 140), (100, 67), (64, 64)])
@pytest.mark.parametrize("side", [28, 56])
def test_a_crop_is_that_of_clips_processor(size: tuple[int, int], side: int) -> None:
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    levels = [127 + 60 * (np.sin(rows / 17 + k) + np.cos(columns / 23 - k)) for k in range(3)]
    picture = PIL.Image.fromarray(np.stack(levels, -1).astype(np.uint8))
    ours = ImageTransform(side, "crop", HALF, HALF)(encoded(picture, "PNG"))
    theirs = CLIPImageProcessor(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_mean=list(HALF),
        image_std=list(HALF),
    )(picture, return_tensors="pt")["pixel_values"][0]
    assert float((ours - theirs).abs().max()) <= 2 / 127.5
