"""Pictures in tiles: the grid that a picture's size gets, its pixels, and its visual tokens.

A picture becomes several *views* of the encoder's own size. Which of their visual tokens the LLM
reads, and in what order, follows from the picture's size alone.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Int64, UInt8

from vilax.data.resampling import resampled

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]
"""Width and height, in pixels."""

NEWLINE = -1
"""In an order of visual tokens: the learned token that ends a row of the grid."""

REMEMBERED = 4096
"""Sizes whose order is remembered."""


class Tiling(Hashable, Protocol):
    """A rule by which pictures become views."""

    @property
    def side(self) -> int:
        """Side of a view, in pixels."""
        ...

    def grid(self, size: Size) -> tuple[int, int]:
        """Rows and columns of tiles that a picture of this size gets."""
        ...

    def views(self, size: Size) -> int:
        """Number of views."""
        ...

    def cut(self, picture: "Image", interpolation: str) -> "UInt8[np.ndarray, 'views 3 side side']":
        """The views, before normalisation."""
        ...

    def order(self, size: Size, each: int) -> Int64[np.ndarray, " tokens"]:
        """Which visual tokens the LLM reads of a picture.

        Args:
            size: of the picture.
            each: visual tokens of a view.

        Returns:
            Places in the visual tokens of all views, counted view after view; ``NEWLINE`` where a
            row of the grid ends.
        """
        ...


@dataclass(frozen=True)
class Anyres:
    """LLaVA-NeXT's: the whole picture, then the tiles of a grid, row by row (January 2024 release;
    ``image_grid_pinpoints`` and ``spatial_unpad`` of its code).

    Of the grids that on which the picture has most pixels is taken, then the one that wastes
    fewest; the picture keeps its aspect and is padded with black. The visual tokens of the tiles
    are laid together to one grid, those of padding are dropped, and each row is ended by a learned
    newline. The whole picture, stretched to a square, stands in front.

    Attributes:
        side: side of a view, in pixels.
        grids: rows and columns of tiles; of two that fit as well the first is taken.
    """

    side: int
    grids: tuple[tuple[int, int], ...]

    def grid(self, size: Size) -> tuple[int, int]:
        """The grid of most effective resolution, and of these of least waste."""
        width, height = size
        best, most, least = self.grids[0], 0, math.inf
        for rows, columns in self.grids:
            wide, high = columns * self.side, rows * self.side
            scale = min(wide / width, high / height)
            kept = min(int(width * scale) * int(height * scale), width * height)
            wasted = wide * high - kept
            if kept > most or (kept == most and wasted < least):
                best, most, least = (rows, columns), kept, wasted
        return best

    def views(self, size: Size) -> int:
        """The whole picture and its tiles."""
        rows, columns = self.grid(size)
        return 1 + rows * columns

    def cut(self, picture: "Image", interpolation: str) -> "UInt8[np.ndarray, 'views 3 side side']":
        """The whole picture stretched to a square, then the tiles row by row."""
        pixels = np.asarray(picture)
        width, height = picture.size
        rows, columns = self.grid(picture.size)
        wide, high = columns * self.side, rows * self.side
        if wide / width < high / height:
            fitted = (wide, min(math.ceil(height * (wide / width)), high))
        else:
            fitted = (min(math.ceil(width * (high / height)), wide), high)
        scaled = resampled(pixels, *fitted, interpolation)
        canvas = np.zeros((3, high, wide), dtype=np.uint8)
        left, top = (wide - fitted[0]) // 2, (high - fitted[1]) // 2
        canvas[:, top : top + fitted[1], left : left + fitted[0]] = scaled
        whole = resampled(pixels, self.side, self.side, interpolation)
        return np.concatenate([whole[None], _tiles(canvas, self.side)])

    def order(self, size: Size, each: int) -> Int64[np.ndarray, " tokens"]:
        """The whole picture's tokens, then the rows of the grid without padding, with newlines.

        Raises:
            ValueError: the tokens of a view form no square.
        """
        side = math.isqrt(each)
        if side * side != each:
            raise ValueError(f"{each} visual tokens of a view form no square grid")
        rows, columns = self.grid(size)
        tiles = each + np.arange(rows * columns * each, dtype=np.int64)
        grid = tiles.reshape(rows, columns, side, side).transpose(0, 2, 1, 3)
        grid = _unpadded(grid.reshape(rows * side, columns * side), size)
        ended = np.pad(grid, ((0, 0), (0, 1)), constant_values=NEWLINE)
        return np.concatenate([np.arange(each, dtype=np.int64), ended.reshape(-1)])


def _unpadded(grid: Int64[np.ndarray, "rows columns"], size: Size) -> Int64[np.ndarray, "r c"]:
    """The part of a padded picture's grid that shows the picture; rounded as in LLaVA-NeXT."""
    width, height = size
    rows, columns = grid.shape
    if width / height > columns / rows:
        kept = int(round(height * (columns / width), 7))
        padding = (rows - kept) // 2
        return grid[padding : rows - padding]
    kept = int(round(width * (rows / height), 7))
    padding = (columns - kept) // 2
    return grid[:, padding : columns - padding]


@dataclass(frozen=True)
class InternvlTiling:
    """InternVL's: the tiles of a grid, row by row, then the whole picture (from release 1.5 on:
    arXiv 2404.16821, section 3.2).

    Of all grids of at most ``most`` tiles that of the nearest aspect is taken, of equally near ones
    the largest whose pixels are fewer than twice the picture's. The picture is stretched to it. One
    tile alone is the whole picture, which is then not repeated.

    Attributes:
        side: side of a view, in pixels.
        most: tiles, at most.
    """

    side: int
    most: int

    def grid(self, size: Size) -> tuple[int, int]:
        """The grid of nearest aspect."""
        width, height = size
        best, least = (1, 1), math.inf
        for columns, rows in _grids(self.most):
            apart = abs(width / height - columns / rows)
            is_filled = width * height > 0.5 * self.side * self.side * columns * rows
            if apart < least or (apart == least and is_filled):
                best, least = (rows, columns), apart
        return best

    def views(self, size: Size) -> int:
        """The tiles and the whole picture, or that alone."""
        rows, columns = self.grid(size)
        return rows * columns + (rows * columns > 1)

    def cut(self, picture: "Image", interpolation: str) -> "UInt8[np.ndarray, 'views 3 side side']":
        """The tiles row by row, then the whole picture, each stretched."""
        pixels = np.asarray(picture)
        rows, columns = self.grid(picture.size)
        whole = resampled(pixels, self.side, self.side, interpolation)[None]
        if rows * columns == 1:
            return whole
        canvas = resampled(pixels, columns * self.side, rows * self.side, interpolation)
        return np.concatenate([_tiles(canvas, self.side), whole])

    def order(self, size: Size, each: int) -> Int64[np.ndarray, " tokens"]:
        """All tokens, view after view."""
        return np.arange(self.views(size) * each, dtype=np.int64)


@lru_cache
def _grids(most: int) -> tuple[tuple[int, int], ...]:
    """Columns and rows of all grids of at most so many tiles, those of fewest tiles first."""
    found = [
        (columns, rows) for columns in range(1, most + 1) for rows in range(1, most // columns + 1)
    ]
    return tuple(sorted(found, key=lambda grid: grid[0] * grid[1]))


def _tiles(
    canvas: UInt8[np.ndarray, "3 height width"], side: int
) -> UInt8[np.ndarray, "tiles 3 side side"]:
    """A picture cut into squares, row by row."""
    rows, columns = canvas.shape[1] // side, canvas.shape[2] // side
    cut = canvas.reshape(3, rows, side, columns, side).transpose(1, 3, 0, 2, 4)
    return np.ascontiguousarray(cut.reshape(rows * columns, 3, side, side))


@dataclass(frozen=True)
class TileTokens:
    """Visual tokens of pictures in tiles, by their size.

    Attributes:
        tiling: how pictures become views.
        each: visual tokens of a view.
    """

    tiling: Tiling
    each: int

    def __call__(self, size: Size) -> int:
        """Positions that a picture of this size takes."""
        return len(self.order(size))

    def order(self, size: Size) -> Int64[np.ndarray, " tokens"]:
        """Which visual tokens stand at them, as ``Tiling.order`` says; not to be written to."""
        return _order(self.tiling, size, self.each)


@lru_cache(REMEMBERED)
def _order(tiling: Tiling, size: Size, each: int) -> Int64[np.ndarray, " tokens"]:
    order = tiling.order(size, each)
    order.flags.writeable = False
    return order


TokensPerImage = int | TileTokens
"""Positions that a picture takes: the same for all, or by its size."""
