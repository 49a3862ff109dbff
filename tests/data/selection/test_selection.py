"""Selections are exact, seeded, remembered, and say what they cannot give."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.writers import page, picture, write_lines
from vilax.config.errors import ConfigError
from vilax.config.schema.selection import Selection
from vilax.data.document import Document
from vilax.data.formats import open_corpus
from vilax.data.formats.files import Reader
from vilax.data.selection import ranks, select
from vilax.data.selection.ranks import best, mixed, ordered


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))


def corpus(folder: Path, shards: list[list[dict[str, Any]]]) -> Reader:
    for number, records in enumerate(shards):
        write_lines(folder / "t" / f"{number}.jsonl", records)
    return open_corpus("t", folder / "t")


def texts(reader: Reader) -> list[str]:
    return [reader[i].segments[0].text for i in range(len(reader))]  # type: ignore[union-attr]


def scored(*scores: float | None) -> list[dict[str, Any]]:
    return [{"text": f"{s}", **({} if s is None else {"clip": s, "other": 2 * s})} for s in scores]


numbers = st.floats(allow_nan=False)


@given(st.lists(numbers, min_size=1, max_size=60), st.data())
def test_the_best_are_those_that_sorting_finds(values: list[float], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(values)))
    chunk, ranks.CHUNK = ranks.CHUNK, 7
    try:
        found = np.concatenate(list(best(ordered(np.array(values)), count)))
    finally:
        ranks.CHUNK = chunk
    expected = sorted(sorted(range(len(values)), key=lambda i: (-(values[i] + 0.0), i))[:count])
    assert found.tolist() == expected


def test_random_ranks_are_spread_and_differ_by_seed() -> None:
    indexes = np.arange(100_000, dtype=np.uint64)
    drawn = mixed(indexes, 3)
    assert len(np.unique(drawn)) == len(indexes)
    assert abs(drawn.astype(np.float64).mean() / 2**64 - 0.5) < 0.005
    assert (drawn != mixed(indexes, 4)).all()
    # Neighbours are drawn independently of each other.
    top = drawn > np.uint64(2**63)
    assert abs((top[1:] == top[:-1]).mean() - 0.5) < 0.01


def test_the_papers_rule_takes_the_best_of_all(tmp_path: Path) -> None:
    reader = corpus(tmp_path, [scored(0.3, 0.1, None, 0.9), scored(0.9, 0.5, math.nan)])
    rule = {"fields": ["clip"], "top": 3}
    assert texts(select(reader, Selection(score=rule))) == ["0.9", "0.9", "0.5"]  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"top=6: only 5 documents .*\(clip\)"):
        len(select(reader, Selection(score=rule | {"top": 6})))  # type: ignore[arg-type]


def test_the_codes_rule_takes_a_share_of_each_shard(tmp_path: Path) -> None:
    first = scored(0.1, 0.3, 0.25, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
    second = scored(0.9, 0.1, 0.1, 0.1, 0.1)
    reader = corpus(tmp_path, [first, second])
    rule = {"fields": ["clip", "other"], "above": 0.6, "share": 0.2}
    # Best fifth: two of ten and one of five; a sum of 3 x 0.25 is above 0.6.
    assert texts(select(reader, Selection(score=rule))) == ["0.3", "0.4", "0.9"]  # type: ignore[arg-type]
    rule = {"fields": ["clip"], "above": 0.35, "share": 1.0}
    assert texts(select(reader, Selection(score=rule))) == ["0.4", "0.9"]  # type: ignore[arg-type]


def test_lists_of_keys(tmp_path: Path) -> None:
    reader = corpus(tmp_path, [[{"text": f"{n}"} for n in range(9)]])
    listed = tmp_path / "keys.txt"
    listed.write_text(f"{reader.key(4)}\n{reader.key(2)}\n\n")
    only = select(reader, Selection(ids=str(listed)))
    assert texts(only) == ["2", "4"]
    assert only.key(1) == reader.key(4)
    assert only.shard(1) == "0.jsonl"
    assert only.facts(1) == {"text": "4"}
    assert texts(select(reader, Selection(exclude=str(listed)))) == [*"01", "3", *"5678"]
    before = only.fingerprint()
    listed.write_text("0.jsonl:77\n")
    with pytest.raises(ConfigError, match=r"1 of its keys are not in the corpus, such as 0.jsonl"):
        len(select(reader, Selection(ids=str(listed))))
    assert select(reader, Selection(ids=str(listed))).fingerprint() != before
    listed.write_text("".join(f"{reader.key(n)}\n" for n in range(9)))
    with pytest.raises(ConfigError, match="leaves none of 9"):
        len(select(reader, Selection(exclude=str(listed))))


def test_draws_are_seeded_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = corpus(tmp_path, [[{"text": f"{n}"} for n in range(200)]])
    one = texts(select(reader, Selection(count=20)))
    assert len(set(one)) == 20
    assert one == sorted(one, key=int)
    assert texts(select(reader, Selection(count=20, seed=1))) != one
    # A larger draw by the same seed holds the smaller one.
    assert set(one) < set(texts(select(reader, Selection(count=30))))
    assert texts(select(reader, Selection(every=4))) == ["0", "50", "100", "150"]
    with pytest.raises(ConfigError, match="count=201: only 200"):
        len(select(reader, Selection(count=201)))
    monkeypatch.setattr("vilax.data.selection.selected.choose", None)
    assert texts(select(reader, Selection(count=20))) == one
    assert select(reader, Selection()) is reader


@given(st.integers(1, 60), st.integers(0, 3))
@settings(deadline=None, max_examples=20)
def test_budgets_are_reached_and_no_more(amount: int, seed: int) -> None:
    class Pages:
        def __len__(self) -> int:
            return 40

        def __getitem__(self, index: int) -> Document:
            from vilax.data.document import Image, Text

            return Document(str(index), "p", (Image(b""),) * (index % 4) + (Text("x"),))

        def fingerprint(self) -> str:
            return f"{amount} {seed}"

    reader: Any = Pages()
    chosen = select(reader, Selection(images=amount, seed=seed))
    sizes = [len(chosen[i].segments) - 1 for i in range(len(chosen))]
    assert amount <= sum(sizes) < amount + 3 + 1
    with pytest.raises(ConfigError, match="images=61: the documents left have 60"):
        len(select(reader, Selection(images=61, seed=seed)))
    by_tokens = select(reader, Selection(tokens=amount, seed=seed), lambda d: len(d.segments), "t")
    sizes = [len(by_tokens[i].segments) for i in range(len(by_tokens))]
    assert amount <= sum(sizes) < amount + 4


def test_selections_reach_training(tmp_path: Path) -> None:
    from vilax.config.compose import compose_run
    from vilax.training.sources import data_fingerprint, open_reader

    pages = [page(["a"], [("x.png", 0)], [picture(n)]) for n in range(6)]
    write_lines(tmp_path / "p.jsonl", pages)
    options = [f"corpora.pages={tmp_path / 'p.jsonl'}", "stages.pretrain.blend=pages"]
    whole = compose_run(options)
    some = compose_run([*options, "corpora.pages.select.count=4"])
    assert len(open_reader(whole, "pages")) == 6
    assert len(open_reader(some, "pages")) == 4
    prints = [data_fingerprint(run, run.stages["pretrain"]) for run in (whole, some)]
    assert prints[0] != prints[1]
    with pytest.raises(ConfigError, match="give one of every, count"):
        compose_run([*options, "corpora.pages.select={count: 3, every: 2}"])
    assert json.dumps(prints)
