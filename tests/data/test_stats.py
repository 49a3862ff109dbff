"""Figures of corpora, and spreads in flat memory."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.writers import conversation, picture, tokenizer, write_lines, write_pairs
from vilax.data.formats import open_corpus
from vilax.data.prompt import PromptEncoder
from vilax.data.stats import Measurer, Spread, measure


def test_small_values_are_exact() -> None:
    spread = Spread()
    values = np.random.default_rng(0).integers(0, 1000, 5001)
    for value in values.tolist():
        spread.add(value)
    assert spread.mean == pytest.approx(values.mean())
    for share in (0.0, 0.05, 0.5, 0.95, 1.0):
        assert spread.quantile(share) == np.quantile(values, share, method="inverted_cdf")
    assert sum(count for _, count in spread.histogram()) == 5001
    assert len(spread.bar()) == 12


def test_large_values_are_right_within_a_hundredth() -> None:
    spread = Spread()
    values = np.random.default_rng(0).lognormal(9, 2, 20_000).astype(int)
    for value in values.tolist():
        spread.add(value)
    assert spread.mean == pytest.approx(values.mean())
    assert (spread.least, spread.most) == (values.min(), values.max())
    for share in (0.25, 0.5, 0.95, 0.99):
        exact = np.quantile(values, share, method="inverted_cdf")
        assert spread.quantile(share) == pytest.approx(exact, rel=0.01)
    assert len(spread._steps) < 2500


def test_nothing_and_zeros() -> None:
    spread = Spread()
    assert (spread.mean, spread.quantile(0.5), spread.histogram(), spread.bar()) == (0, 0, [], "")
    spread.add(0)
    assert (spread.mean, spread.quantile(0.5)) == (0, 0)
    assert next(count for _, count in spread.histogram()) == 1


def test_pairs(tmp_path: Path) -> None:
    write_pairs(tmp_path / "0.tar", [f"a dog w{n}" for n in range(100)], "webp")
    stats = measure("pairs", Measurer(open_corpus("c", tmp_path)), jobs=2)
    figures = stats.figures()
    assert (figures["documents"], figures["pictures"], figures["bad"]) == (100, 100, 0)
    assert figures["picture_formats"] == {"webp": 100}
    assert figures["per_picture"]["width"]["mean"] == 8
    assert figures["per_picture"]["height"]["mean"] == 6
    assert figures["per_document"]["words"]["mean"] == 3
    assert figures["per_document"]["characters"]["total"] == sum(
        len(f"a dog w{n}") for n in range(100)
    )
    assert (figures["unit"], figures["supervised_share"]) == ("characters", 1.0)


def test_conversations_with_a_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "h.png").write_bytes(b"<html>")
    records = [
        conversation(["<image>\nwhat is", "a dog"], "a.png"),
        conversation(["what", "a"]),
        conversation(["<image>", "a"], "h.png"),
        conversation(["<image>", "a"], "gone.png"),
    ]
    write_lines(tmp_path / "c.jsonl", records)
    encoder = PromptEncoder(tokenizer(), 4)
    reader = open_corpus("c", tmp_path)
    figures = measure("chat", Measurer(reader, encoder, "qa")).figures()
    assert (figures["documents"], figures["bad"], figures["bad_share"]) == (4, 2, 0.5)
    # <s>, 4 visual, question : what is answer : (6 or 7 words), answer, </s>
    tokens = figures["per_document"]["tokens"]
    assert (tokens["quantiles"]["0"], tokens["quantiles"]["1"]) == (8, 14)
    # Two words and EOS of 14; one word and EOS of 8.
    assert figures["supervised_share"] == pytest.approx(5 / 22)
    assert figures["unit"] == "tokens"


def test_a_sample(tmp_path: Path) -> None:
    write_lines(tmp_path / "t.jsonl", [{"text": "w " * n} for n in range(1, 200)])
    reader = open_corpus("c", tmp_path)
    one, same, other = (measure("t", Measurer(reader), limit=20, seed=s) for s in (0, 0, 1))
    assert (one.documents, one.measured) == (199, 20)
    assert one.figures() == same.figures() != other.figures()
