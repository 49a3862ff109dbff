"""From a decoded picture to the encoder's input."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jaxtyping import Float, UInt8

from vilax.data.decoding import MAX_PIXELS, decode_noted
from vilax.data.resampling import resampled
from vilax.data.tiles import Tiling

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True)
class ImageTransform:
    """Decoding, squaring and normalisation.

    No aspect is refused: squaring never makes a picture of more than ``MAX_PIXELS`` pixels.

    Attributes:
        size: side of the output, in pixels.
        policy: ``pad`` puts the picture on a square of the mean colour, ``resize`` stretches it,
            ``crop`` scales its short side and cuts the middle, ``anyres`` and ``internvl`` cut it
            into tiles.
        mean: subtracted per channel, in 0..1.
        std: divided by per channel.
        interpolation: filter of the resampling.
        tiling: of a policy that cuts; else None.
    """

    size: int
    policy: Literal["pad", "resize", "crop", "anyres", "internvl"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    # Caches of features go by the other attributes' text; this one's is added where there is one.
    tiling: Tiling | None = field(default=None, repr=False)

    def __call__(self, data: bytes) -> "Float[Tensor, '*views 3 size size']":
        """Normalised float32 pixels: ``normalise(squared(data))``.

        Raises:
            BadSample: the picture cannot be decoded, or has more than ``MAX_PIXELS`` pixels.
        """
        import torch

        pixels: Float[Tensor, "*views 3 size size"] = self.normalise(
            torch.from_numpy(self.squared(data)[0])
        )
        return pixels

    def squared(
        self, data: bytes
    ) -> "tuple[UInt8[np.ndarray, '*views 3 size size'], tuple[str, ...]]":
        """Pixels before normalisation, and what was odd about the picture and mended.

        Of a picture in tiles these are its views; else there is no such axis.

        Raises:
            BadSample: the picture cannot be decoded, or has more than ``MAX_PIXELS`` pixels.
        """
        pixels, _, notes = self.sized(data)
        return pixels, notes

    def sized(
        self, data: bytes
    ) -> "tuple[UInt8[np.ndarray, '*views 3 size size'], tuple[int, int], tuple[str, ...]]":
        """As ``squared``, with the picture's own width and height between them.

        Raises:
            BadSample: as ``squared``.
        """
        picture, notes = decode_noted(data)
        if self.tiling is not None:
            return self.tiling.cut(picture, self.interpolation), picture.size, notes
        return self._square(picture), picture.size, notes

    def normalise(
        self, pixels: "UInt8[Tensor, '*n 3 size size']"
    ) -> "Float[Tensor, '*n 3 size size']":
        """Float32 pixels less ``mean``, by ``std``; of one picture or of many."""
        import torch

        mean = torch.tensor(self.mean, dtype=torch.float32, device=pixels.device)[:, None, None]
        std = torch.tensor(self.std, dtype=torch.float32, device=pixels.device)[:, None, None]
        scaled = pixels.to(torch.float32, memory_format=torch.contiguous_format)
        return scaled.div_(255.0).sub_(mean).div_(std)

    def _square(self, picture: "Image") -> "UInt8[np.ndarray, '3 size size']":
        import numpy as np

        width, height = picture.size
        if self.policy == "resize" or width == height:
            return resampled(np.asarray(picture), self.size, self.size, self.interpolation)
        if self.policy == "pad":
            side = max(width, height)
            if side * side > MAX_PIXELS:
                picture = _narrowed(picture, self.size)
                (width, height), side = picture.size, max(picture.size)
            colour = [round(255 * value) for value in self.mean]
            canvas = np.full((side, side, 3), colour, dtype=np.uint8)
            left, top = (side - width) // 2, (side - height) // 2
            canvas[top : top + height, left : left + width] = np.asarray(picture)
            return resampled(canvas, self.size, self.size, self.interpolation)
        # The long side is rounded down, as the processors of CLIP and torchvision's Resize do.
        short = min(width, height)
        wide, high = self.size * width // short, self.size * height // short
        if wide * high > MAX_PIXELS:
            side = min(width, height)
            left, top = (width - side) // 2, (height - side) // 2
            square = np.asarray(picture.crop((left, top, left + side, top + side)))
            return resampled(square, self.size, self.size, self.interpolation)
        scaled = resampled(np.asarray(picture), wide, high, self.interpolation)
        left, top = (wide - self.size) // 2, (high - self.size) // 2
        return np.ascontiguousarray(scaled[:, top : top + self.size, left : left + self.size])


def _narrowed(picture: "Image", size: int) -> "Image":
    """A strip too long for its square, reduced to four times the size that is wanted."""
    import PIL.Image

    scale = 4 * size / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    return picture.resize((width, height), PIL.Image.Resampling.BOX)
