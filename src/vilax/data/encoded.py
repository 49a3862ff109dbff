"""Documents as token ids, labels and places of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

IMAGE_TOKEN = -200
"""Stands at every position that a visual token takes."""

IGNORE = -100
"""Label of a position without loss."""

Picture = Any
"""A picture on its way to the model: its encoded file (bytes), or what a stream's ``prepare`` made
of it, such as pixels (uint8 array, [3, height, width])."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document as the model sees it.

    Attributes:
        key: the document's key.
        corpus: the document's corpus.
        tokens: token ids; ``IMAGE_TOKEN`` at each position of a visual token.
        labels: the token itself where it is supervised, else ``IGNORE``; the first is ``IGNORE``.
        images: pictures, in the order of their visual tokens.
        spans: visual tokens of each picture.
    """

    key: str
    corpus: str
    tokens: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    images: tuple[Picture, ...]
    spans: tuple[int, ...]


def first_tokens(
    tokens: Int64[np.ndarray, " n"], spans: Sequence[int]
) -> Int64[np.ndarray, " images"]:
    """Where the first visual token of each picture stands.

    Args:
        tokens: token ids, ``IMAGE_TOKEN`` at each position of a visual token.
        spans: visual tokens of each picture; those that have none stand nowhere.
    """
    visual = np.flatnonzero(tokens == IMAGE_TOKEN)
    taken = np.array([span for span in spans if span], dtype=np.int64)
    found: Int64[np.ndarray, " images"] = visual[np.cumsum(taken) - taken]
    return found
