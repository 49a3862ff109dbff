"""Features of a frozen encoder, kept on disk under the hash of picture and encoder."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from vilax.artifacts.identity import VERSIONS
from vilax.data.images import ImageTransform
from vilax.models.encoder import Encoder
from vilax.models.freeze import fingerprint

ENCODE_BATCH = 16
"""Pictures in a forward pass; always this many, because a kernel chosen by batch size could
change the last bits of a picture's features with its company."""

FLUSH_EVERY = 1024

KEPT = 1024
"""Pictures whose features are remembered where no folder keeps them; the oldest go first."""


def picture_key(data: bytes) -> str:
    """Name of a picture's features: a hash of its encoded bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


class FeatureSource:
    """Encoded pictures to encoder features, computed once per distinct picture.

    Features are those that ``encoder(pixels)`` gives, in fp32 and bit for bit; with a folder they
    are also found again by later processes. With a folder, memory grows with the number of distinct
    pictures, so the disk cache is for the small scales.

    Args:
        encoder: put in eval mode and frozen here, where it is not already.
        transform: picture bytes to the encoder's input.
        cache: parent of the cache's folder; None keeps features in memory only.
    """

    def __init__(self, encoder: Encoder, transform: ImageTransform, cache: Path | None) -> None:
        self.encoder = encoder.eval().requires_grad_(False)
        self.transform = transform
        self._known: dict[str, Tensor] = {}
        self._new: list[str] = []
        self._loaded: set[str] = set()
        self.folder: Path | None = None
        if cache is not None:
            state = f"{fingerprint(encoder)} {transform!r} {encoder.layer} {encoder.grid}"
            state += f" {encoder.class_token} {VERSIONS['encoder']}"
            digest = hashlib.sha256(state.encode()).hexdigest()[:24]
            self.folder = cache / "features" / digest
            self._read_shards()

    def __call__(self, pictures: Sequence[bytes]) -> Float[Tensor, "images tokens width"]:
        """Features of the pictures, in their order, on the CPU."""
        keys = [picture_key(data) for data in pictures]
        missing = {
            key: data for key, data in zip(keys, pictures, strict=True) if key not in self._known
        }
        names = list(missing)
        for start in range(0, len(names), ENCODE_BATCH):
            some = names[start : start + ENCODE_BATCH]
            self._encode(some, [missing[name] for name in some])
        if self.folder is not None and len(self._new) >= FLUSH_EVERY:
            self.flush()
        found = torch.stack([self._known[key] for key in keys])
        if self.folder is None:
            self._new = []
            for name in list(self._known)[: max(0, len(self._known) - KEPT)]:
                del self._known[name]
        return found

    def _encode(self, names: list[str], pictures: list[bytes]) -> None:
        device = next(self.encoder.parameters()).device
        pixels = torch.stack([self.transform(data) for data in pictures]).to(device)
        filled = torch.cat([pixels, pixels.new_zeros(ENCODE_BATCH - len(names), *pixels.shape[1:])])
        with torch.no_grad():
            features = self.encoder(filled)[: len(names)].float().cpu()
        for name, feature in zip(names, features, strict=True):
            self._known[name] = feature.clone()
        self._new += names

    def _read_shards(self) -> None:
        if self.folder is None or not self.folder.exists():
            return
        for shard in sorted(self.folder.glob("*.safetensors")):
            if shard.name not in self._loaded:
                self._known |= load_file(shard)
                self._loaded.add(shard.name)

    def flush(self) -> None:
        """Write features computed since the last call to a new shard, atomically."""
        if self.folder is None or not self._new:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: self._known[name].contiguous() for name in self._new}
        digest = hashlib.sha256(" ".join(sorted(tensors)).encode()).hexdigest()[:24]
        handle, temporary = tempfile.mkstemp(dir=self.folder, suffix=".partial")
        os.close(handle)
        save_file(tensors, temporary)
        os.replace(temporary, self.folder / f"{digest}.safetensors")
        self._loaded.add(f"{digest}.safetensors")
        self._new = []
