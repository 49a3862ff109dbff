"""Scores from a file beside the corpus select as scores in its records do."""

import json
from pathlib import Path

import pytest

from tests.data.writers import write_lines
from vilax.config.errors import ConfigError
from vilax.config.schema.selection import ScoreRule, Selection
from vilax.data.formats import open_corpus
from vilax.data.selection import select


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))


def test_a_file_selects_as_the_records_do(tmp_path: Path) -> None:
    records = [{"text": f"{n}", "a": n % 7, "b": n % 5 / 10} for n in range(60)]
    write_lines(tmp_path / "t.jsonl", records)
    reader = open_corpus("t", tmp_path / "t.jsonl")
    scores = tmp_path / "s.jsonl"
    rows = [{"key": reader.key(n), "a": r["a"], "b": r["b"]} for n, r in enumerate(records)]
    write_lines(scores, rows[::-1])
    for rule in ({"top": 9}, {"above": 3.2}, {"above": 1.0, "share": 0.25, "top": 3}):
        by_record = select(reader, Selection(score=ScoreRule(fields=("a", "b"), **rule)))
        ours = ScoreRule(fields=("a", "b"), file=str(scores), **rule)
        by_file = select(reader, Selection(score=ours))
        kept = [by_file.key(n) for n in range(len(by_file))]
        assert kept == [by_record.key(n) for n in range(len(by_record))]
        assert by_file.fingerprint() != by_record.fingerprint()
    before = by_file.fingerprint()
    write_lines(scores, rows[:30])
    changed = select(reader, Selection(score=ours))
    assert changed.fingerprint() != before
    assert {changed.key(n) for n in range(len(changed))} <= {row["key"] for row in rows[:30]}
    few = ScoreRule(fields=("a",), file=str(scores), top=31)
    with pytest.raises(ConfigError, match="only 30 documents have a score"):
        len(select(reader, Selection(score=few)))


@pytest.mark.parametrize("line", ['{"key": "x"}', "[1]", "{", '{"key": 3, "a": 1}'])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    write_lines(tmp_path / "t.jsonl", [{"text": "x"}])
    (tmp_path / "s.jsonl").write_text(json.dumps({"key": "k", "a": 1}) + "\n" + line + "\n")
    rule = ScoreRule(fields=("a",), file=str(tmp_path / "s.jsonl"), top=1)
    reader = open_corpus("t", tmp_path / "t.jsonl")
    with pytest.raises(ConfigError, match=r"s\.jsonl, line 2"):
        len(select(reader, Selection(score=rule)))
