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
from vilax.data.decoding import header
from vilax.data.images import ImageTransform
from vilax.data.tiles import TokensPerImage
from vilax.models.encoder import Encoder
from vilax.models.freeze import fingerprint
from vilax.models.views import Visual
from vilax.training.tiled import as_views

ENCODE_BATCH = 16
"""Pictures (or views of pictures) in a forward pass; always this many, because a kernel chosen by
batch size could change the last bits of a picture's features with its company."""

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
        tokens: visual tokens of a picture, as the LLM reads them.
    """

    def __init__(
        self,
        encoder: Encoder,
        transform: ImageTransform,
        cache: Path | None,
        tokens: TokensPerImage = 0,
    ) -> None:
        self.encoder = encoder.eval().requires_grad_(False)
        self.transform = transform
        self._tokens = tokens
        self._known: dict[str, Tensor] = {}
        self._new: list[str] = []
        self._loaded: set[str] = set()
        self.folder: Path | None = None
        if cache is not None:
            state = f"{fingerprint(encoder)} {transform!r} {encoder.layer} {encoder.grid}"
            state += f" {encoder.class_token} {VERSIONS['encoder']}"
            if transform.policy == "crop":
                state += f" {transform.policy} {VERSIONS['crop']}"
            state += "" if transform.tiling is None else f" {transform.tiling!r}"
            digest = hashlib.sha256(state.encode()).hexdigest()[:24]
            self.folder = cache / "features" / digest
            self._read_shards()

    def __call__(self, pictures: Sequence[bytes]) -> Visual:
        """Features of the pictures, in their order, on the CPU: [images, tokens, width], or views
        of pictures in tiles."""
        keys = self.encode(pictures)
        found = self._together(keys, pictures)
        if self.folder is None:
            self._new = []
            for name in list(self._known)[: max(0, len(self._known) - KEPT)]:
                del self._known[name]
        return found

    def encode(self, pictures: Sequence[bytes]) -> list[str]:
        """Compute the features of pictures that are not known yet; the names of all of them."""
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
        return keys

    def _together(self, keys: Sequence[str], pictures: Sequence[bytes]) -> Visual:
        known = [self._known[key] for key in keys]
        if isinstance(self._tokens, int):
            return torch.stack(known)
        counts = [len(features) for features in known]
        sizes = [header(data)[1:] for data in pictures]
        return as_views(torch.cat(known), counts, sizes, self._tokens)

    def _encode(self, names: list[str], pictures: list[bytes]) -> None:
        pixels = [self.transform(data) for data in pictures]
        if self.transform.tiling is None:
            features = self._features(torch.stack(pixels))
            found = list(features.unbind())
        else:
            views = torch.cat(pixels)
            features = torch.cat([self._features(some) for some in views.split(ENCODE_BATCH)])
            found = list(features.split([len(some) for some in pixels]))
        for name, feature in zip(names, found, strict=True):
            self._known[name] = feature.clone()
        self._new += names

    def _features(
        self, pixels: Float[Tensor, "views 3 size size"]
    ) -> Float[Tensor, "views tokens width"]:
        """Of at most ``ENCODE_BATCH`` pictures or views, filled up to so many."""
        device = next(self.encoder.parameters()).device
        pixels = pixels.to(device)
        blank = pixels.new_zeros(ENCODE_BATCH - len(pixels), *pixels.shape[1:])
        with torch.no_grad():
            found: Tensor = self.encoder(torch.cat([pixels, blank]))
        return found[: len(pixels)].float().cpu()

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
