"""Cutting documents that are longer than a row."""

from dataclasses import replace

import numpy as np

from vilax.data.encoded import IGNORE, IMAGE_TOKEN, Encoded, first_tokens


def _image_starts(encoded: Encoded) -> list[int]:
    """Where each image begins.

    Raises:
        ValueError: there are images that take no position.
    """
    if 0 in encoded.spans:
        raise ValueError("images that take no position are in no piece")
    return first_tokens(encoded.tokens, encoded.spans).tolist()  # type: ignore[no-any-return]


def split_long(encoded: Encoded, length: int, most_images: int | None = None) -> list[Encoded]:
    """Cut a document into pieces of at most ``length`` tokens and ``most_images`` pictures.

    One that fits is returned alone.

    A cut falls, in this order of preference, on the last segment border of the window's second
    half (before an image that follows text, or where a new turn follows a supervised answer), then
    at the window's end inside text. It never falls inside an image, nor between an image and the
    text it stands before. The first label of each piece is ``IGNORE``. Keys get ``#1``, ``#2`` ...

    Raises:
        ValueError: images that stand together do not fit a row together with one text token.
    """
    total = len(encoded.tokens)
    if total <= length and (most_images is None or len(encoded.images) <= most_images):
        return [encoded]
    starts = _image_starts(encoded)
    is_image = encoded.tokens == IMAGE_TOKEN
    marked = encoded.labels != IGNORE
    border = np.zeros(total, dtype=bool)
    border[1:] = (is_image[1:] & ~is_image[:-1]) | (marked[:-1] & ~marked[1:] & ~is_image[:-1])
    cuts = [0]
    while (cut := _window(cuts[-1], total, length, starts, most_images)) < total:
        begin = cuts[-1]
        # A cut is legal where the token before it is text: never in or right behind an image.
        legal = np.flatnonzero(~is_image[begin:cut]) + begin + 1
        if len(legal) == 0:
            raise ValueError(f"images at token {begin} do not fit a row of {length} tokens")
        late = legal[border[legal] & (legal >= begin + (cut - begin) // 2)]
        cuts.append(int(late[-1]) if len(late) else int(legal[-1]))
    pieces = []
    for number, (begin, end) in enumerate(zip(cuts, [*cuts[1:], total], strict=True), 1):
        labels = encoded.labels[begin:end].copy()
        labels[0] = IGNORE
        inside = [i for i, start in enumerate(starts) if begin <= start < end]
        pieces.append(
            replace(
                encoded,
                key=f"{encoded.key}#{number}",
                tokens=encoded.tokens[begin:end],
                labels=labels,
                images=tuple(encoded.images[i] for i in inside),
                spans=tuple(encoded.spans[i] for i in inside),
            )
        )
    return pieces


def _window(begin: int, total: int, length: int, starts: list[int], most: int | None) -> int:
    """Where a piece from ``begin`` has to end at the latest."""
    end = min(total, begin + length)
    if most is not None:
        ahead = [start for start in starts if start >= begin]
        if len(ahead) > most:
            end = min(end, ahead[most])
    return end
