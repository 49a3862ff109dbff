"""Encoders made of encoders: several on one picture, or one at several scales."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from vilax.models.encoder import Encoder, pooled


class FusedFeatures(Encoder):
    """Features of several encoders, joined on channels (prismatic's DINO+SigLIP).

    Each member gets the picture in its own normalisation, and in its own size where it has another
    one than the first.

    Args:
        members: encoders whose grids are equal.
        grid: average-pool to grid x grid tokens; None keeps the members' own.

    Raises:
        ValueError: the grids differ.
    """

    def __init__(self, members: Sequence[Encoder], grid: int | None = None) -> None:
        super().__init__(members[0].layer, class_token=False, grid=grid)
        sides = [member.side for member in members]
        if len(set(sides)) > 1:
            raise ValueError(
                f"encoders with grids of side {sides} cannot be joined: set their image_size (or"
                " grid) so that they agree"
            )
        self.net = nn.ModuleList(members)
        self.image_size = members[0].image_size
        self.mean, self.std = members[0].mean, members[0].std
        self._measure()

    def blocks(self) -> Iterator[nn.Module]:
        """Repeated blocks of the members."""
        for member in self.members():
            yield from member.blocks()

    def members(self) -> Iterator[Encoder]:
        """The encoders, in order."""
        for member in self.net.children():
            assert isinstance(member, Encoder)
            yield member

    def _features(self, pixels: Tensor) -> Tensor:
        mean, std = self._colours(pixels, self)
        found = []
        for member in self.members():
            seen = pixels
            if (member.mean, member.std) != (self.mean, self.std):
                own_mean, own_std = self._colours(pixels, member)
                seen = (pixels * std + mean - own_mean) / own_std
            found.append(member(resized(seen, member.image_size)))
        return torch.cat(found, dim=-1)

    @staticmethod
    def _colours(pixels: Tensor, encoder: Encoder) -> tuple[Tensor, Tensor]:
        mean, std = (pixels.new_tensor(values) for values in (encoder.mean, encoder.std))
        return mean[:, None, None], std[:, None, None]


class ScaledFeatures(Encoder):
    """S2: a picture at several scales, in tiles of the encoder's own size, joined on channels.

    Features of the larger scales are laid together from their tiles and averaged down to the
    encoder's own grid (S2, arXiv 2403.13043; VILA1.5-3B-S2 at 384 and 768).

    Args:
        encoder: what looks at each tile.
        scales: sides in pixels; the smallest is the encoder's own, the others multiples of it.
        grid: average-pool to grid x grid tokens; None keeps the encoder's own.
    """

    def __init__(self, encoder: Encoder, scales: Sequence[int], grid: int | None = None) -> None:
        super().__init__(encoder.layer, class_token=False, grid=grid)
        self.net = encoder
        self.scales = tuple(sorted(scales))
        self.image_size = self.scales[-1]
        self.mean, self.std = encoder.mean, encoder.std
        self._measure()

    def blocks(self) -> Iterator[nn.Module]:
        """Repeated blocks of the encoder."""
        assert isinstance(self.net, Encoder)
        yield from self.net.blocks()

    def _features(self, pixels: Tensor) -> Tensor:
        return torch.cat([self._at(resized(pixels, scale)) for scale in self.scales], dim=-1)

    def _at(self, pixels: Tensor) -> Tensor:
        encoder = self.net
        assert isinstance(encoder, Encoder)
        size, images = encoder.image_size, pixels.shape[0]
        tiles = pixels.unfold(2, size, size).unfold(3, size, size)
        count = tiles.shape[2]
        flat = tiles.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
        features = encoder(flat)
        if count == 1:
            return features  # type: ignore[no-any-return]
        side = encoder.side
        grid = features.view(images, count, count, side, side, -1).permute(0, 1, 3, 2, 4, 5)
        return pooled(grid.reshape(images, (count * side) ** 2, -1), side)


def resized(pixels: Tensor, size: int) -> Tensor:
    """Square pictures at another size; as they are at their own."""
    if pixels.shape[-1] == size:
        return pixels
    smaller = size < pixels.shape[-1]
    return nn.functional.interpolate(
        pixels, (size, size), mode="bicubic", antialias=smaller, align_corners=False
    )
