"""Damaged pictures are told, odd ones are mended and named."""

import io
import time

import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest

from tests.data.bad.pictures import BROKEN, ODD, broken, encoded, exif, noise, odd, png
from tests.data.writers import picture
from vilax.data import decoding
from vilax.data.decoding import decode, decode_noted, fault, header
from vilax.data.formats import BadSample


def test_transparency_is_white() -> None:
    clear = encoded(PIL.Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG")
    assert decode(clear).getpixel((0, 0)) == (255, 255, 255)
    assert decode_noted(clear)[1] == ("transparency laid on white",)
    opaque = encoded(PIL.Image.new("RGBA", (4, 4), (9, 8, 7, 255)), "PNG")
    assert decode(opaque).getpixel((0, 0)) == (9, 8, 7)
    assert decode_noted(opaque)[1] == ()
    grey = decode(encoded(PIL.Image.new("L", (4, 4), 7), "PNG"))
    assert grey.mode == "RGB"
    assert grey.getpixel((0, 0)) == (7, 7, 7)
    palette = decode(odd("png of a clear palette"))
    assert palette.getpixel((40, 3)) == (255, 255, 255)
    assert palette.getpixel((3, 3)) == (0, 200, 0)


@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "bmp", "tiff", "gif"])
def test_whole_pictures_pass_and_cut_ones_do_not(form: str) -> None:
    data = encoded(noise(), form)
    assert fault(data) == ""
    plain, notes = decode_noted(data)
    assert (plain.size, plain.mode, notes) == ((48, 48), "RGB", ())
    bare = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    assert plain.tobytes() == bare.tobytes()
    assert header(data) == (form.upper(), 48, 48)
    for size in (12, 30, len(data) // 4, len(data) // 2, len(data) * 3 // 4):
        with pytest.raises(BadSample, match="decoded"):
            decode(data[:size])


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("lenient", [False, True])
def test_broken_pictures_are_refused_with_a_reason(
    name: str, lenient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another library may have allowed cut pictures, and pictures of any size.
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", None if lenient else 89_478_485)
    begun = time.perf_counter()
    with pytest.raises(BadSample) as error:
        decode(broken(name))
    assert BROKEN[name][1] in error.value.reason
    assert time.perf_counter() - begun < 0.5
    assert PIL.ImageFile.LOAD_TRUNCATED_IMAGES is lenient
    assert (PIL.Image.MAX_IMAGE_PIXELS is None) is lenient


@pytest.mark.parametrize("name", ODD)
def test_odd_pictures_are_mended_and_named(name: str) -> None:
    mended, notes = decode_noted(odd(name))
    assert mended.mode == "RGB"
    assert mended.size == (48, 48)
    assert len(notes) == 1
    assert ODD[name][1] in notes[0]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(form: str, orientation: int) -> None:
    from PIL import ImageOps

    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:8, :8] = 255
    stored = encoded(PIL.Image.fromarray(pixels), form, exif=exif(orientation))
    upright, notes = decode_noted(stored)
    expected = ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(stored))).convert("RGB")
    assert upright.tobytes() == expected.tobytes()
    assert upright.size == ((16, 32) if orientation > 4 else (32, 16))
    assert header(stored)[1:] == upright.size
    assert notes == (() if orientation == 1 else ("turned by its EXIF orientation",))


@pytest.mark.parametrize("data", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM", b"junk" * 9])
def test_damaged_exif_data_do_no_harm(data: bytes) -> None:
    stored = encoded(noise(), "JPEG", exif=data)
    assert decode(stored).size == (48, 48)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    for form in ("PNG", "TIFF"):
        grey, notes = decode_noted(encoded(PIL.Image.fromarray(values), form))
        assert [p[0] for p in np.asarray(grey)[0].tolist()] == [0, 0, 1, 128, 255]
        assert notes == ("16 bits a channel, reduced to 8",)
    colour = png(1, 1, 16, 2, b"\0" + bytes([255, 255, 128, 0, 0, 9]))
    assert decode(colour).getpixel((0, 0)) == (255, 128, 0)
    floats = PIL.Image.fromarray(np.array([[0.0, 0.5, 1.0, np.nan]], dtype=np.float32))
    stretched, notes = decode_noted(encoded(floats, "TIFF"))
    assert [p[0] for p in np.asarray(stretched)[0].tolist()] == [0, 128, 255, 0]
    assert notes == ("32 bits a channel, stretched to 8",)


def test_cmyk_keeps_its_colours_with_and_without_an_adobe_marker() -> None:
    red = PIL.Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    stored = encoded(red, "JPEG")
    assert b"Adobe" in stored
    seen = decode(stored).getpixel((3, 3))
    assert isinstance(seen, tuple)
    assert seen[0] > 240
    assert max(seen[1:]) < 16
    # The same values without the marker are not inverted: what was ink is now none.
    at = stored.index(b"\xff\xee")
    bare = stored[:at] + stored[at + 2 + int.from_bytes(stored[at + 2 : at + 4], "big") :]
    plain = decode(bare).getpixel((3, 3))
    assert isinstance(plain, tuple)
    assert max(plain) < 16


def test_whatever_a_plugin_raises_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    import struct

    for error in (struct.error("short"), MemoryError(), IndexError("x"), RecursionError("deep")):

        def fails(self: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(PIL.ImageFile.ImageFile, "load", fails)
        with pytest.raises(BadSample, match="cannot be decoded") as found:
            decode(picture())
        assert (str(error) or type(error).__name__) in found.value.reason


def test_other_content_is_no_picture() -> None:
    assert "not a picture" in fault(b"<html>gone</html>")
    with pytest.raises(BadSample, match=r"not a picture .*: it is HTML"):
        decode(b"<html>gone</html>")
    with pytest.raises(BadSample, match="not a picture"):
        header(b"<html>gone</html>")


def test_pixels_are_bounded_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_PIXELS", 47)
    with pytest.raises(BadSample, match="8 x 6 pixels"):
        decode(picture())
    with pytest.raises(BadSample, match="8 x 6 pixels"):
        decode(picture(form="tiff"))


def test_only_the_kinds_that_are_read_are_opened() -> None:
    # Pillow would start Ghostscript for PostScript; a fresh process must not even load its plugin.
    import subprocess
    import sys

    code = (
        "import sys, vilax.data.decoding as i\n"
        "try: i.decode(b'%!PS-Adobe-3.0 EPSF-3.0')\n"
        "except Exception as e: print(type(e).__name__)\n"
        "i.decode(open(sys.argv[1], 'rb').read())\n"
        "print([m for m in sys.modules if m.endswith(('EpsImagePlugin', 'PsdImagePlugin'))])"
    )
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".webp") as file:
        file.write(picture(form="webp"))
        file.flush()
        done = subprocess.run(
            [sys.executable, "-c", code, file.name], capture_output=True, text=True, check=True
        )
    assert done.stdout.split("\n")[:2] == ["BadSample", "[]"]
