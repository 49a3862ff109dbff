"""Our own PNG writer: the same pixels come back, in files that others read."""

import io

import numpy as np
import PIL.Image
import pytest

from vilax.data.decoding import decode
from vilax.data.png import encode_png
from vilax.data.signatures import claimed_size, fault


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (33, 48), (100, 257)])
@pytest.mark.parametrize("kind", ["noise", "flat", "ramp"])
def test_pixels_come_back(size: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(0)
    high, wide = size
    ramp = np.arange(high * wide * 3).reshape(high, wide, 3) % 256
    pixels = {
        "noise": rng.integers(0, 256, (high, wide, 3)),
        "flat": np.full((high, wide, 3), 255),
        "ramp": ramp,
    }[kind].astype(np.uint8)
    data = encode_png(pixels)
    opened = PIL.Image.open(io.BytesIO(data))
    assert opened.format == "PNG" and opened.mode == "RGB"
    assert (np.asarray(opened) == pixels).all() and (np.asarray(decode(data)) == pixels).all()
    assert fault(data) == "" and claimed_size(data) == (wide, high)
    assert encode_png(pixels.copy(order="F")) == data


def test_a_cut_file_is_seen() -> None:
    data = encode_png(np.zeros((8, 8, 3), dtype=np.uint8))
    assert "cut short" in fault(data[:-5])
    assert "damaged" in fault(data[:50] + b"\xff" + data[51:])
