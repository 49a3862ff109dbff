"""Keys and values of past tokens: rows that leave, branch, or begin with the same tokens."""

import copy
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers.cache_utils import (
    Cache,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

ROOM = 64
"""Positions that a layer keeps free ahead, at least."""


class RoomyLayer(DynamicLayer):
    """Keys and values of one layer, in tensors with room for what is to come.

    The layers of transformers copy the whole past at every step. Layers with a sliding window keep
    all positions here, since the attention mask leaves out what the window does not reach.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._buffers: tuple[Tensor, Tensor] | None = None
        self._used = 0
        self._piece: tuple[slice, int] | None = None

    def get_seq_length(self) -> int:
        """Positions held."""
        return self._used

    def write_to(self, rows: slice, of: int) -> None:
        """Take the next tokens as those of some of the rows; the last of the rows come last."""
        self._piece = (rows, of)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append the states of new tokens; return those of all tokens of the same rows."""
        rows, count = self._piece or (slice(0, len(key_states)), len(key_states))
        needed = self._used + key_states.shape[-2]
        old = self._buffers or (key_states[:, :, :0], value_states[:, :, :0])
        keys, values = self._buffers = (
            _with_room(old[0], self._used, needed, count, key_states),
            _with_room(old[1], self._used, needed, count, value_states),
        )
        keys[rows, :, self._used : needed] = key_states
        values[rows, :, self._used : needed] = value_states
        if rows.stop == count:
            self._used, self._piece = needed, None
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        return keys[rows, :, :needed], values[rows, :, :needed]

    def reorder_cache(self, beam_idx: Int[Tensor, " rows"]) -> None:
        """Keep the rows named, in that order; a row may be named more than once."""
        if self._buffers is not None:
            keys, values = (one.index_select(0, beam_idx.to(one.device)) for one in self._buffers)
            self._buffers = (keys, values)

    def spread(self, pads: Int[Tensor, " rows"]) -> None:
        """Make rows of the only one, each moved right by its padding; the length stays."""
        if self._buffers is not None:
            places = (torch.arange(self._used)[None] - pads[:, None]).clamp(min=0)
            # Made without room: the first update makes it.
            keys, values = (
                one[0][:, places.to(one.device)].transpose(0, 1) for one in self._buffers
            )
            self._buffers = (keys, values)


def _with_room(buffer: Tensor, used: int, needed: int, rows: int, like: Tensor) -> Tensor:
    if buffer.shape[-2] >= needed:
        return buffer
    room = needed + max(ROOM, needed // 4)
    larger = like.new_empty(rows, like.shape[1], room, like.shape[-1])
    if used:
        larger[:, :, :used] = buffer[:, :, :used]
    return larger


def empty_cache(net: nn.Module) -> Cache:
    """A cache of the kind that this model of transformers needs, with roomy layers of attention."""
    cache = DynamicCache(config=net.config)  # type: ignore[arg-type]
    cache.layers = [
        RoomyLayer() if type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) else layer
        for layer in cache.layers
    ]
    return cache


def has_positions(cache: Cache) -> bool:
    """False where a layer keeps a running state in place of positions."""
    return all(isinstance(layer, RoomyLayer) for layer in cache.layers)


def write_to(cache: Cache, rows: slice, of: int) -> None:
    """Take the next tokens as those of some rows alone.

    Args:
        cache: one that ``has_positions``.
        rows: whose tokens come next; all rows get theirs, the last of them last.
        of: number of all rows.
    """
    for layer in cache.layers:
        if isinstance(layer, RoomyLayer):
            layer.write_to(rows, of)


def spread(cache: Cache, pads: Int[Tensor, " rows"]) -> None:
    """Turn the cache of one row into that of rows which begin with the same tokens.

    Args:
        cache: of one row, one that ``has_positions``; changed.
        pads: by how many positions each row stands further right. What it then loses at its end
            has to be computed again.
    """
    for layer in cache.layers:
        if isinstance(layer, RoomyLayer):
            layer.spread(pads)


def select(cache: Cache, rows: Int[Tensor, " rows"]) -> None:
    """Keep the rows named, in that order."""
    cache.reorder_cache(rows)  # type: ignore[arg-type]


def branch(cache: Cache, rows: Int[Tensor, " branches"]) -> Cache:
    """A second cache with the rows named, each as often as it is named; the first stays."""
    other = copy.copy(cache)
    other.layers = [
        copy.copy(layer) if isinstance(layer, RoomyLayer) else copy.deepcopy(layer)
        for layer in cache.layers
    ]
    select(other, rows)
    return other
