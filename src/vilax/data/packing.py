"""Filling rows with whole documents, without crosstalk."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Int64

from vilax.data.prompt import IGNORE, IMAGE_TOKEN, Encoded

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Row:
    """Documents side by side in one sequence.

    Attributes:
        tokens: token ids, ``IMAGE_TOKEN`` at visual positions, the pad id behind the last document.
        labels: supervised token ids, else ``IGNORE``.
        positions: position within the document, 0 on padding.
        documents: 1, 2, ... per document, 0 on padding; attention stays within equal numbers.
        images: encoded pictures in the order of their visual tokens.
        keys: key of each document.
        corpora: corpus of each document.
    """

    tokens: Int64[np.ndarray, " length"]
    labels: Int64[np.ndarray, " length"]
    positions: Int64[np.ndarray, " length"]
    documents: Int64[np.ndarray, " length"]
    images: tuple[bytes, ...]
    keys: tuple[str, ...]
    corpora: tuple[str, ...]

    def supervised(self) -> dict[str, int]:
        """Supervised tokens by corpus."""
        marked = self.documents[self.labels != IGNORE]
        counts = np.bincount(marked, minlength=len(self.keys) + 1)[1:]
        by_corpus: dict[str, int] = {}
        for corpus, count in zip(self.corpora, counts.tolist(), strict=True):
            by_corpus[corpus] = by_corpus.get(corpus, 0) + count
        return by_corpus


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Best-fit decreasing: each item, longest first, goes where least room is left.

    Args:
        lengths: tokens of each document.
        capacity: tokens of a row.

    Returns:
        Indexes of the documents of each row, ascending. Rows are in the order of their first
        document: sorted by length they would make the length drift within every buffer.

    Raises:
        ValueError: a document is longer than a row.
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        need = lengths[index]
        if need > capacity:
            raise ValueError(f"document {index} has {need} tokens, a row holds {capacity}")
        place = bisect_left(room, (need, -1))
        if place < len(room):
            left, row = room.pop(place)
            rows[row].append(index)
        else:
            left, row = capacity, len(rows)
            rows.append([index])
        insort(room, (left - need, row))
    for members in rows:
        members.sort()
    return sorted(rows, key=lambda members: members[0])


def pack(documents: Sequence[Encoded], length: int, pad_id: int) -> Row:
    """Put documents side by side and fill up with padding.

    Args:
        documents: at most ``length`` tokens in all.
        length: tokens of the row.
        pad_id: token id of padding.

    Raises:
        ValueError: the documents do not fit.
    """
    total = sum(len(d.tokens) for d in documents)
    if total > length:
        raise ValueError(f"documents of {total} tokens do not fit a row of {length}")
    tokens = np.full(length, pad_id, dtype=np.int64)
    labels = np.full(length, IGNORE, dtype=np.int64)
    positions = np.zeros(length, dtype=np.int64)
    numbers = np.zeros(length, dtype=np.int64)
    start = 0
    for number, document in enumerate(documents, 1):
        end = start + len(document.tokens)
        tokens[start:end] = document.tokens
        labels[start:end] = document.labels
        positions[start:end] = np.arange(end - start)
        numbers[start:end] = number
        if end > start:
            # The last token of one document must not learn to predict the next document.
            labels[start] = IGNORE
        start = end
    return Row(
        tokens,
        labels,
        positions,
        numbers,
        tuple(image for d in documents for image in d.images),
        tuple(d.key for d in documents),
        tuple(d.corpus for d in documents),
    )


def _image_starts(encoded: Encoded) -> tuple[list[int], int]:
    """Where each image begins, and how many positions each takes."""
    visual = np.flatnonzero(encoded.tokens == IMAGE_TOKEN)
    if not encoded.images:
        return [], 0
    each = len(visual) // len(encoded.images)
    return visual[::each].tolist(), each


def split_long(encoded: Encoded, length: int) -> list[Encoded]:
    """Cut a document into pieces of at most ``length`` tokens; one that fits is returned alone.

    A cut falls, in this order of preference, on the last segment border of the window's second
    half (before an image that follows text, or where a new turn follows a supervised answer), then
    at the window's end inside text. It never falls inside an image, nor between an image and the
    text it stands before. The first label of each piece is ``IGNORE``. Keys get ``#1``, ``#2`` ...

    Raises:
        ValueError: images that stand together do not fit a row together with one text token.
    """
    total = len(encoded.tokens)
    if total <= length:
        return [encoded]
    starts, each = _image_starts(encoded)
    is_image = encoded.tokens == IMAGE_TOKEN
    marked = encoded.labels != IGNORE
    border = np.zeros(total, dtype=bool)
    border[1:] = (is_image[1:] & ~is_image[:-1]) | (marked[:-1] & ~marked[1:] & ~is_image[:-1])
    cuts = [0]
    while total - cuts[-1] > length:
        begin = cuts[-1]
        cut = begin + length
        # A cut is legal where the token before it is text: never in or right behind an image.
        legal = np.flatnonzero(~is_image[begin:cut]) + begin + 1
        if len(legal) == 0:
            raise ValueError(f"images at token {begin} do not fit a row of {length} tokens")
        late = legal[border[legal] & (legal >= begin + length // 2)]
        cuts.append(int(late[-1]) if len(late) else int(legal[-1]))
    pieces = []
    for number, (begin, end) in enumerate(zip(cuts, [*cuts[1:], total], strict=True), 1):
        labels = encoded.labels[begin:end].copy()
        labels[0] = IGNORE
        inside = [i for i, start in enumerate(starts) if begin <= start and start + each <= end]
        pieces.append(
            replace(
                encoded,
                key=f"{encoded.key}#{number}",
                tokens=encoded.tokens[begin:end],
                labels=labels,
                images=tuple(encoded.images[i] for i in inside),
            )
        )
    return pieces


@dataclass
class PackedBatch:
    """Rows stacked as tensors.

    Attributes:
        tokens: int64 token ids, ``IMAGE_TOKEN`` at visual positions.
        labels: int64 supervised token ids, else ``IGNORE``.
        positions: int64 position within the document.
        documents: int64 document number within the row, 0 on padding.
        images: encoded pictures, row after row.
        keys: keys of the documents of each row.
        supervised: supervised tokens by corpus.
        rows: the rows themselves.
    """

    tokens: Int[Tensor, "rows length"]
    labels: Int[Tensor, "rows length"]
    positions: Int[Tensor, "rows length"]
    documents: Int[Tensor, "rows length"]
    images: tuple[bytes, ...]
    keys: tuple[tuple[str, ...], ...]
    supervised: dict[str, int]
    rows: tuple[Row, ...]

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> PackedBatch:
        """Stack rows of one length.

        Raises:
            ValueError: no rows, or rows of several lengths.
        """
        import torch

        supervised: dict[str, int] = {}
        for row in rows:
            for corpus, count in row.supervised().items():
                supervised[corpus] = supervised.get(corpus, 0) + count
        return cls(
            tokens=torch.from_numpy(np.stack([row.tokens for row in rows])),
            labels=torch.from_numpy(np.stack([row.labels for row in rows])),
            positions=torch.from_numpy(np.stack([row.positions for row in rows])),
            documents=torch.from_numpy(np.stack([row.documents for row in rows])),
            images=tuple(image for row in rows for image in row.images),
            keys=tuple(row.keys for row in rows),
            supervised=supervised,
            rows=tuple(rows),
        )

    def split(self, rows: int) -> list[PackedBatch]:
        """Batches of at most ``rows`` rows, in order.

        Raises:
            ValueError: ``rows`` is below 1.
        """
        if rows < 1:
            raise ValueError(f"a batch cannot be split into parts of {rows} rows")
        parts = []
        for start in range(0, len(self.rows), rows):
            some = self.rows[start : start + rows]
            parts.append(PackedBatch.from_rows(some).to(self.tokens.device))
        return parts

    def to(self, device: torch.device | str) -> PackedBatch:
        """The same batch with its tensors on ``device``."""
        return replace(
            self,
            tokens=self.tokens.to(device),
            labels=self.labels.to(device),
            positions=self.positions.to(device),
            documents=self.documents.to(device),
        )
