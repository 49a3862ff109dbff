"""What a stream does with a picture before packing: each is decoded once."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from vilax.data.decoding import decode_noted
from vilax.data.images import ImageTransform

if TYPE_CHECKING:
    from torch import Tensor

REMEMBERED = 1 << 18
"""Pictures whose state is remembered, by hash: about 40 MB at most."""


class Checked:
    """Hands pictures on as they are, after having decoded each distinct one once.

    For pictures whose features may be cached: these need the encoded file, as the cache's key.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()

    def __call__(self, data: bytes) -> tuple[bytes, tuple[str, ...]]:
        """The picture, and what is odd about it.

        Raises:
            BadSample: it cannot be decoded.
        """
        digest = hashlib.blake2b(data, digest_size=16).digest()
        notes = self._known.get(digest)
        if notes is None:
            notes = decode_noted(data)[1]
            self._known[digest] = notes
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return data, notes


@dataclass(frozen=True, slots=True)
class Cut:
    """A picture in tiles on its way to the model.

    Attributes:
        pixels: its views, before normalisation.
        size: its own width and height, from which the order of its visual tokens follows.
    """

    pixels: UInt8[np.ndarray, "views 3 side side"]
    size: tuple[int, int]


class Squared:
    """Decodes pictures to what ``ImageTransform.squared`` makes of them; of tiles, a ``Cut``.

    Eight bits a channel until the model needs them: a quarter of what normalised pixels weigh on
    their way between processes.
    """

    def __init__(self, transform: ImageTransform) -> None:
        self.transform = transform

    def __call__(
        self, data: bytes
    ) -> tuple["UInt8[np.ndarray, '3 size size'] | Cut", tuple[str, ...]]:
        """Pixels of the picture, and what is odd about it.

        Raises:
            BadSample: it cannot be decoded.
        """
        pixels, size, notes = self.transform.sized(data)
        return (pixels if self.transform.tiling is None else Cut(pixels, size)), notes

    def batch(self, pictures: Sequence[Any]) -> "Tensor":
        """Several pictures side by side: uint8 [images, 3, size, size], or all views of pictures
        in tiles, [views, 3, size, size]; to be normalised where the model is."""
        import torch

        if self.transform.tiling is not None:
            return torch.from_numpy(np.concatenate([cut.pixels for cut in pictures]))
        return torch.from_numpy(np.stack(pictures))


def laid_together(pictures: Sequence[Any]) -> UInt8[np.ndarray, "views 3 side side"] | None:
    """Pixels of pictures that are decoded, tiles or not, as one array; None where one is not."""
    found = []
    for picture in pictures:
        if isinstance(picture, Cut):
            found.append(picture.pixels)
        elif isinstance(picture, np.ndarray):
            found.append(picture[None])
        else:
            return None
    return np.concatenate(found) if found else None


def without_pixels(picture: Any) -> Any:
    """What is left of a decoded picture while its pixels travel on their own."""
    return Cut(picture.pixels[:, :0], picture.size) if isinstance(picture, Cut) else b""


def taken_apart(
    bare: Sequence[Any], pixels: UInt8[np.ndarray, "views 3 side side"]
) -> Iterator[Any]:
    """Pictures again, from what ``without_pixels`` left and ``laid_together`` joined."""
    at = 0
    for picture in bare:
        if isinstance(picture, Cut):
            count = len(picture.pixels)
            yield Cut(pixels[at : at + count], picture.size)
        else:
            count = 1
            yield pixels[at]
        at += count
