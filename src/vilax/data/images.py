"""From an encoded picture to the encoder's input."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jaxtyping import Float

from vilax.data.formats.files import BadSample

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

MAX_PIXELS = 64_000_000
"""Pixels of a picture; one that claims more is refused before it is decoded."""


def fault(data: bytes) -> str:
    """What is visibly wrong with an encoded picture, without decoding it; empty if nothing is.

    Looks at the signature and at the end that png, jpeg, webp and bmp announce, which takes
    about a microsecond and finds the common damage: other content, and files cut short.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "" if b"IEND" in data[-64:] else "the png is cut short"
    if data.startswith(b"\xff\xd8\xff"):
        return "" if data.rfind(b"\xff\xd9") > 0 else "the jpeg is cut short"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        whole = int.from_bytes(data[4:8], "little") + 8 <= len(data) + 1
        return "" if whole else "the webp is cut short"
    if data.startswith(b"BM"):
        whole = int.from_bytes(data[2:6], "little") <= len(data)
        return "" if whole else "the bmp is cut short"
    if data.startswith((b"II*\0", b"MM\0*", b"GIF8")):
        return ""
    return "not a picture (png, jpeg, webp, bmp, tiff or gif)"


@dataclass(frozen=True)
class ImageTransform:
    """Decoding, squaring and normalisation.

    Attributes:
        size: side of the output, in pixels.
        policy: ``pad`` puts the picture on a square of the mean colour, ``resize`` stretches it,
            ``crop`` scales its short side and cuts the middle.
        mean: subtracted per channel, in 0..1.
        std: divided by per channel.
        interpolation: filter of the resampling.
    """

    size: int
    policy: Literal["pad", "resize", "crop"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"

    def __call__(self, data: bytes) -> "Float[Tensor, '3 size size']":
        """Normalised float32 pixels.

        Raises:
            BadSample: the picture cannot be decoded, or has more than ``MAX_PIXELS`` pixels.
        """
        import numpy as np
        import torch

        picture = self._square(decode(data))
        pixels = torch.from_numpy(np.array(picture, dtype=np.float32) / 255.0).permute(2, 0, 1)
        mean = torch.tensor(self.mean, dtype=torch.float32)[:, None, None]
        std = torch.tensor(self.std, dtype=torch.float32)[:, None, None]
        return ((pixels - mean) / std).contiguous()

    def _square(self, picture: "Image") -> "Image":
        import PIL.Image

        filter = PIL.Image.Resampling[self.interpolation.upper()]
        width, height = picture.size
        if self.policy == "resize" or width == height:
            return picture.resize((self.size, self.size), filter)
        if self.policy == "pad":
            side = max(width, height)
            colour = tuple(round(255 * value) for value in self.mean)
            canvas = PIL.Image.new("RGB", (side, side), colour)
            canvas.paste(picture, ((side - width) // 2, (side - height) // 2))
            return canvas.resize((self.size, self.size), filter)
        scale = self.size / min(width, height)
        wide = max(self.size, round(width * scale))
        high = max(self.size, round(height * scale))
        scaled = picture.resize((wide, high), filter)
        left, top = (wide - self.size) // 2, (high - self.size) // 2
        return scaled.crop((left, top, left + self.size, top + self.size))


def decode(data: bytes) -> "Image":
    """An RGB picture; transparency is laid on white.

    Raises:
        BadSample: it cannot be decoded, or has more than ``MAX_PIXELS`` pixels.
    """
    import PIL.Image

    key = f"picture {hashlib.sha256(data).hexdigest()[:16]}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            opened = PIL.Image.open(io.BytesIO(data))
        width, height = opened.size
        if width * height > MAX_PIXELS:
            raise BadSample(key, f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
        if opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info:
            layer = opened.convert("RGBA")
            white = PIL.Image.new("RGBA", layer.size, (255, 255, 255, 255))
            return PIL.Image.alpha_composite(white, layer).convert("RGB")
        return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise BadSample(key, f"cannot be decoded: {error}") from error
