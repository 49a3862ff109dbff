"""Filling rows with whole documents, without crosstalk."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Int64

from vilax.data.encoded import IGNORE, Encoded, Picture, first_tokens

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
        images: pictures in the order of their visual tokens: encoded files, or what the stream's
            ``prepare`` made of them.
        spans: visual tokens of each picture.
        keys: key of each document.
        corpora: corpus of each document.
    """

    tokens: Int64[np.ndarray, " length"]
    labels: Int64[np.ndarray, " length"]
    positions: Int64[np.ndarray, " length"]
    documents: Int64[np.ndarray, " length"]
    images: tuple[Picture, ...]
    spans: tuple[int, ...]
    keys: tuple[str, ...]
    corpora: tuple[str, ...]

    def pictures(self) -> list[int]:
        """Pictures of each document; those that take no position do not count."""
        shown = self.documents[first_tokens(self.tokens, self.spans)]
        return np.bincount(shown, minlength=len(self.keys) + 1)[1:].tolist()  # type: ignore[no-any-return]

    def supervised(self) -> dict[str, int]:
        """Supervised tokens by corpus."""
        marked = self.documents[self.labels != IGNORE]
        counts = np.bincount(marked, minlength=len(self.keys) + 1)[1:]
        by_corpus: dict[str, int] = {}
        for corpus, count in zip(self.corpora, counts.tolist(), strict=True):
            by_corpus[corpus] = by_corpus.get(corpus, 0) + count
        return by_corpus


def best_fit(
    lengths: Sequence[int],
    capacity: int,
    pictures: Sequence[int] = (),
    most_pictures: int | None = None,
) -> list[list[int]]:
    """Best-fit decreasing: each item, longest first, goes where least room is left.

    Args:
        lengths: tokens of each document.
        capacity: tokens of a row.
        pictures: pictures of each document; only read where ``most_pictures`` is given.
        most_pictures: pictures of a row; None: as many as come.

    Returns:
        Indexes of the documents of each row, ascending. Rows are in the order of their first
        document: sorted by length they would make the length drift within every buffer.

    Raises:
        ValueError: a document is longer than a row, or has more pictures than one takes.
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []
    free: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        need = lengths[index]
        if need > capacity:
            raise ValueError(f"document {index} has {need} tokens, a row holds {capacity}")
        place = bisect_left(room, (need, -1))
        if most_pictures is not None:
            shown = pictures[index]
            if shown > most_pictures:
                raise ValueError(
                    f"document {index} has {shown} pictures, a row takes {most_pictures}"
                )
            while place < len(room) and free[room[place][1]] < shown:
                place += 1
        if place < len(room):
            left, row = room.pop(place)
            rows[row].append(index)
        else:
            left, row = capacity, len(rows)
            rows.append([index])
            free.append(0 if most_pictures is None else most_pictures)
        if most_pictures is not None:
            free[row] -= pictures[index]
        insort(room, (left - need, row))
    for members in rows:
        members.sort()
    return sorted(rows, key=lambda members: members[0])


WELL_FILLED = 0.99
"""Share of a row from which on it does not wait for something that fits better."""


def choose_rows(
    lengths: Sequence[int],
    capacity: int,
    pictures: Sequence[int] = (),
    most_pictures: int | None = None,
) -> list[list[int]]:
    """The rows to make now, of all that best fit would make of the documents that wait.

    The row of the oldest document, so that none waits forever, and every row that is full to
    ``WELL_FILLED`` (or in pictures); what is in the others waits for documents to come.

    Args:
        lengths: tokens of each document, the oldest first.
        capacity: tokens of a row.
        pictures: as for ``best_fit``.
        most_pictures: as for ``best_fit``.

    Returns:
        Indexes of the documents of each row; the first row holds document 0.

    Raises:
        ValueError: as for ``best_fit``.
    """
    rows = best_fit(lengths, capacity, pictures, most_pictures)

    def is_full(row: list[int]) -> bool:
        if sum(lengths[i] for i in row) >= WELL_FILLED * capacity:
            return True
        return most_pictures is not None and sum(pictures[i] for i in row) >= most_pictures

    return [row for number, row in enumerate(rows) if number == 0 or is_full(row)]


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
        tuple(span for d in documents for span in d.spans),
        tuple(d.key for d in documents),
        tuple(d.corpus for d in documents),
    )


@dataclass
class PackedBatch:
    """Rows stacked as tensors.

    Attributes:
        tokens: int64 token ids, ``IMAGE_TOKEN`` at visual positions.
        labels: int64 supervised token ids, else ``IGNORE``.
        positions: int64 position within the document.
        documents: int64 document number within the row, 0 on padding.
        images: pictures, row after row.
        keys: keys of the documents of each row.
        supervised: supervised tokens by corpus.
        rows: the rows themselves.
    """

    tokens: Int[Tensor, "rows length"]
    labels: Int[Tensor, "rows length"]
    positions: Int[Tensor, "rows length"]
    documents: Int[Tensor, "rows length"]
    images: tuple[Picture, ...]
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
