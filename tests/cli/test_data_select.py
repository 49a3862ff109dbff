"""``vilax data select`` writes lists that a selection takes, and matches corpora."""

from pathlib import Path

import pytest

from tests.data.writers import page, picture, write_lines, write_pairs
from vilax.cli.main import main
from vilax.config.schema.selection import Selection
from vilax.data.formats import open_corpus
from vilax.data.selection import select


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))


def run(*words: object) -> int:
    return main(["data", "select", *map(str, words)])


def test_a_list_is_what_the_rule_selects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [{"text": f"{n}", "clip": n % 7} for n in range(50)]
    write_lines(tmp_path / "t.jsonl", records)
    keys = tmp_path / "lists" / "keys.txt"
    assert run(tmp_path / "t.jsonl", "--score", "clip", "--top", 9, "--to", keys) == 0
    assert "9 keys" in capsys.readouterr().out
    chosen = keys.read_text().split()
    reader = open_corpus("t", tmp_path / "t.jsonl")
    best = sorted(range(50), key=lambda n: (-(n % 7), n))[:9]
    assert chosen == [reader.key(n) for n in sorted(best)]
    only = select(reader, Selection(ids=str(keys)))
    assert [only.key(n) for n in range(len(only))] == chosen
    assert run(tmp_path / "t.jsonl", "--count", 41, "--exclude", keys, "--to", keys) == 0
    assert not set(keys.read_text().split()) & set(chosen)


def test_corpora_are_matched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pairs(tmp_path / "pairs.tar", [f"w{n}" for n in range(40)])
    several = [("x.png", 0), ("y.png", 1)]
    pages = [page(["a", "b"], several, [picture(n), picture(n + 1)]) for n in range(9)]
    write_lines(tmp_path / "pages.jsonl", pages)
    to = tmp_path / "lists"
    places = (tmp_path / "pairs.tar", tmp_path / "pages.jsonl")
    assert run(*places, "--match", "images", "--to", to) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[:3] for row in table] == [["pairs", "18", "18"], ["pages", "9", "18"]]
    assert len((to / "pairs.txt").read_text().splitlines()) == 18
    assert run(*places, "--match", "images", "--budget", 10, "--to", to) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[2] for row in table] == ["10", "10"]


def test_bad_requests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(tmp_path / "t.jsonl", [{"text": "one"}])
    place, keys = tmp_path / "t.jsonl", tmp_path / "keys.txt"
    for words, said in (
        ((place, "--top", 3), "--top needs --score"),
        ((place, "--count", 3), "count=3: only 1 documents"),
        ((place, "--count", 1, "--every", 1), "give one of every, count"),
        ((place, place, "--count", 1), "several PATHs go with --match"),
        ((place, "--match", "images"), "expected two PATHs"),
        ((tmp_path / "none",), "does not exist"),
    ):
        assert run(*words, "--to", keys) == 2
        assert said in capsys.readouterr().err
    assert not keys.exists()
