"""Rows hold whole documents, nothing is lost, and documents do not touch each other."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vilax.data.packing import PackedBatch, best_fit, choose_rows, pack
from vilax.data.prompt import IGNORE, IMAGE_TOKEN, Encoded
from vilax.data.splitting import split_long

PAD = 9999
EACH = {"image": 4, "tiles": 7}
"""Visual tokens of a picture, and of one in tiles."""


def encoded(*parts: tuple[str, int], key: str = "k", corpus: str = "c") -> Encoded:
    """From parts ("text"|"asked"|"image"|"tiles", count): an image counts once and takes
    ``EACH``."""
    tokens: list[int] = []
    labels: list[int] = []
    images: list[bytes] = []
    spans: list[int] = []
    for kind, count in parts:
        for _ in range(count):
            if kind in EACH:
                images.append(f"{key}:{len(images)}".encode())
                spans.append(EACH[kind])
                tokens += [IMAGE_TOKEN] * EACH[kind]
                labels += [IGNORE] * EACH[kind]
            else:
                tokens.append(len(tokens) + 1)
                labels.append(tokens[-1] if kind == "text" else IGNORE)
    labels[:1] = [IGNORE]
    return Encoded(key, corpus, np.array(tokens), np.array(labels), tuple(images), tuple(spans))


parts = st.lists(
    st.tuples(st.sampled_from(["text", "asked", "image", "tiles"]), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(50, 90))
def test_best_fit_keeps_all_and_capacity(lengths: list[int], capacity: int) -> None:
    rows = best_fit(lengths, capacity)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in row) <= capacity for row in rows)
    assert all(row == sorted(row) for row in rows)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    # Any two rows of a first-fit or best-fit packing together exceed one row.
    fills = sorted(sum(lengths[i] for i in row) for row in rows)
    assert len(fills) < 2 or fills[0] + fills[1] > capacity


def test_best_fit_takes_the_tightest_row() -> None:
    assert best_fit([7, 6, 4, 3], 10) == [[0, 3], [1, 2]]
    assert best_fit([], 10) == []
    with pytest.raises(ValueError, match="11 tokens"):
        best_fit([3, 11], 10)


def test_best_fit_fills_rows_well() -> None:
    lengths = np.random.default_rng(0).integers(20, 100, 256).tolist()
    rows = best_fit(lengths, 256)
    assert sum(lengths) / (256 * len(rows)) > 0.97


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 4)), max_size=40), st.integers(4, 9))
def test_best_fit_keeps_to_pictures(sizes: list[tuple[int, int]], most: int) -> None:
    lengths, pictures = [s[0] for s in sizes], [s[1] for s in sizes]
    rows = best_fit(lengths, 60, pictures, most)
    assert sorted(i for row in rows for i in row) == list(range(len(sizes)))
    assert all(sum(lengths[i] for i in row) <= 60 for row in rows)
    assert all(sum(pictures[i] for i in row) <= most for row in rows)
    with pytest.raises(ValueError, match="5 pictures, a row takes 4"):
        best_fit([3], 10, [5], 4)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_chosen_rows_are_full_or_hold_the_oldest(lengths: list[int]) -> None:
    rows = choose_rows(lengths, 100)
    assert rows[0][0] == 0
    assert all(sum(lengths[i] for i in row) >= 99 for row in rows[1:])
    chosen = [i for row in rows for i in row]
    assert len(set(chosen)) == len(chosen)


def test_rows_full_of_pictures_do_not_wait() -> None:
    assert choose_rows([10, 10, 5, 1], 100, [4, 4, 3, 1], 4) == [[0], [1], [2, 3]]


def _micro(rng: np.random.Generator) -> int:
    return int(rng.choice([rng.integers(8, 20), rng.integers(15, 40), rng.integers(40, 110)]))


def _paper(rng: np.random.Generator) -> int:
    """COYO pairs, and MMC4 pages of one to six pictures, at 144 positions a picture."""
    if rng.random() < 0.5:
        return int(144 + min(400, rng.lognormal(3.0, 0.7)))
    return int(min(4096, rng.integers(1, 7) * 144 + rng.lognormal(6.0, 0.9)))


@pytest.mark.parametrize(("draw", "capacity"), [(_micro, 256), (_paper, 4096)])
def test_rows_are_filled_to_98_percent(draw: Any, capacity: int) -> None:
    rng = np.random.default_rng(0)
    waiting: list[tuple[int, int]] = []
    drawn = used = rows = longest_wait = 0
    while rows < 600:
        while len(waiting) < 256:
            waiting.append((drawn, draw(rng)))
            drawn += 1
        chosen = choose_rows([length for _, length in waiting], capacity)
        rows += len(chosen)
        gone = {i for row in chosen for i in row}
        used += sum(waiting[i][1] for i in gone)
        longest_wait = max(longest_wait, *(drawn - waiting[i][0] for i in gone))
        waiting = [one for i, one in enumerate(waiting) if i not in gone]
    assert used / (rows * capacity) > 0.985
    assert longest_wait < 20 * 256


@given(st.lists(parts, min_size=1, max_size=6))
def test_pack_has_no_crosstalk(shapes: list[list[tuple[str, int]]]) -> None:
    documents = [encoded(*shape, key=f"d{n}", corpus=f"c{n % 2}") for n, shape in enumerate(shapes)]
    total = sum(len(d.tokens) for d in documents)
    row = pack(documents, total + 3, PAD)
    start = 0
    for number, document in enumerate(documents, 1):
        end = start + len(document.tokens)
        assert (row.tokens[start:end] == document.tokens).all()
        assert (row.positions[start:end] == np.arange(end - start)).all()
        assert (row.documents[start:end] == number).all()
        assert row.labels[start] == IGNORE
        start = end
    assert (row.tokens[start:] == PAD).all()
    assert (row.labels[start:] == IGNORE).all()
    assert not row.positions[start:].any()
    assert not row.documents[start:].any()
    assert row.images == tuple(image for d in documents for image in d.images)
    assert row.spans == tuple(span for d in documents for span in d.spans)
    assert row.pictures() == [len(d.images) for d in documents]
    assert row.keys == tuple(d.key for d in documents)
    assert sum(row.supervised().values()) == (row.labels != IGNORE).sum()


def test_pack_refuses_too_much() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        pack([encoded(("text", 5)), encoded(("text", 6))], 10, PAD)


@given(parts, st.integers(9, 40))
@settings(max_examples=300)
def test_split_loses_nothing_and_never_cuts_an_image(
    shape: list[tuple[str, int]], length: int
) -> None:
    whole = encoded(*shape)
    try:
        pieces = split_long(whole, length)
    except ValueError:
        visual = whole.tokens == IMAGE_TOKEN
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], visual, [0]]))))[::2]
        assert runs.max() >= length
        return
    assert np.concatenate([p.tokens for p in pieces]).tolist() == whole.tokens.tolist()
    assert tuple(image for p in pieces for image in p.images) == whole.images
    spans = dict(zip(whole.images, whole.spans, strict=True))
    for number, piece in enumerate(pieces):
        assert 0 < len(piece.tokens) <= length
        assert piece.spans == tuple(spans[image] for image in piece.images)
        assert (piece.tokens == IMAGE_TOKEN).sum() == sum(piece.spans)
        assert piece.labels[0] == IGNORE
        if number < len(pieces) - 1:
            assert piece.tokens[-1] != IMAGE_TOKEN
    lost = (whole.labels != IGNORE).sum() - sum((p.labels != IGNORE).sum() for p in pieces)
    assert 0 <= lost < len(pieces)


@given(parts, st.integers(30, 90), st.integers(1, 5))
def test_split_keeps_to_pictures(shape: list[tuple[str, int]], length: int, most: int) -> None:
    whole = encoded(*shape)
    try:
        pieces = split_long(whole, length, most)
    except ValueError:
        assert len(whole.images) > most or len(whole.tokens) > length
        return
    assert np.concatenate([p.tokens for p in pieces]).tolist() == whole.tokens.tolist()
    assert tuple(image for p in pieces for image in p.images) == whole.images
    assert all(len(p.images) <= most and len(p.tokens) <= length for p in pieces)
    if len(whole.tokens) <= length and len(whole.images) <= most:
        assert pieces == [whole]


def test_split_prefers_borders() -> None:
    page = encoded(("text", 8), ("image", 1), ("text", 8), ("image", 1), ("text", 6))
    assert [len(p.tokens) for p in split_long(page, 24)] == [20, 10]
    chat = encoded(("asked", 5), ("text", 7), ("asked", 5), ("text", 6))
    assert [len(p.tokens) for p in split_long(chat, 18)] == [12, 11]
    assert [p.key for p in split_long(chat, 18)] == ["k#1", "k#2"]
    assert split_long(chat, 23) == [chat]
    with pytest.raises(ValueError, match="do not fit"):
        split_long(encoded(("text", 2), ("image", 3), ("text", 9)), 12)


def test_batch_splits_into_its_rows() -> None:
    rows = [
        pack([encoded(("image", n), ("text", 3), key=f"r{n}", corpus="c"[: n + 1])], 20, PAD)
        for n in range(3)
    ]
    batch = PackedBatch.from_rows(rows)
    assert batch.tokens.shape == (3, 20)
    assert batch.tokens.dtype == torch.int64
    assert batch.images == (b"r1:0", b"r2:0", b"r2:1")
    assert batch.keys == (("r0",), ("r1",), ("r2",))
    assert sum(batch.supervised.values()) == int((batch.labels != IGNORE).sum())
    first, second = batch.split(2)
    assert (first.images, second.images) == ((b"r1:0",), (b"r2:0", b"r2:1"))
    assert torch.equal(torch.cat([first.labels, second.labels]), batch.labels)
    assert first.supervised["c"] + second.supervised["c"] == batch.supervised["c"]
    assert torch.equal(batch.to("cpu").positions, batch.positions)
    with pytest.raises(ValueError, match="0 rows"):
        batch.split(0)
