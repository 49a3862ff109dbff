"""Pictures become pixels by three policies; damage is told, before and while decoding."""

import io

import numpy as np
import PIL.Image
import pytest
import torch

from tests.data.writers import picture
from vilax.data import images
from vilax.data.formats import BadSample
from vilax.data.images import ImageTransform, decode, fault

HALF = (0.5, 0.5, 0.5)


def encode(picture: PIL.Image.Image, form: str = "png") -> bytes:
    file = io.BytesIO()
    picture.save(file, form)
    return file.getvalue()


@pytest.fixture
def wide() -> bytes:
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 10:20] = 255
    return encode(PIL.Image.fromarray(pixels))


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


def test_transparency_is_white() -> None:
    clear = encode(PIL.Image.new("RGBA", (4, 4), (0, 0, 0, 0)))
    assert decode(clear).getpixel((0, 0)) == (255, 255, 255)
    grey = decode(encode(PIL.Image.new("L", (4, 4), 7)))
    assert grey.mode == "RGB"
    assert grey.getpixel((0, 0)) == (7, 7, 7)


@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "bmp", "tiff"])
def test_whole_pictures_pass_and_cut_ones_do_not(form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    data = encode(PIL.Image.fromarray(noise), form)
    assert fault(data) == ""
    assert decode(data).size == (40, 40)
    cut = data[: len(data) // 2]
    if form != "tiff":
        assert "cut short" in fault(cut)
    with pytest.raises(BadSample, match="decoded"):
        decode(cut)


def test_other_content_is_no_picture() -> None:
    assert "not a picture" in fault(b"<html>gone</html>")
    with pytest.raises(BadSample, match="decoded"):
        decode(b"<html>gone</html>")


def test_pixels_are_bounded_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 47)
    with pytest.raises(BadSample, match="8 x 6 pixels"):
        decode(picture())
