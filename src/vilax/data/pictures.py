"""What a stream does with a picture before packing: each is decoded once."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from vilax.data.images import ImageTransform, decode_noted

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


class Squared:
    """Decodes pictures to what ``ImageTransform.squared`` makes of them.

    Eight bits a channel until the model needs them: a quarter of what normalised pixels weigh on
    their way between processes.
    """

    def __init__(self, transform: ImageTransform) -> None:
        self.transform = transform

    def __call__(self, data: bytes) -> tuple["UInt8[np.ndarray, '3 size size']", tuple[str, ...]]:
        """Pixels of the picture, and what is odd about it.

        Raises:
            BadSample: it cannot be decoded.
        """
        return self.transform.squared(data)

    def batch(self, pictures: Sequence[Any]) -> "Tensor":
        """Several pictures side by side: uint8 [images, 3, size, size], to be normalised where
        the model is."""
        import torch

        return torch.from_numpy(np.stack(pictures))
