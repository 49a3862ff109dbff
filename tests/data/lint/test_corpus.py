"""A corpus is looked at whole: order, counts, tokens, what several documents share, its folder."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.data.writers import (
    conversation,
    page,
    tokenizer,
    write_lines,
    write_pairs,
    write_pictures,
)
from vilax.data.document import Document, Text
from vilax.data.formats import BadSample, open_corpus
from vilax.data.lint.corpus import Lint
from vilax.data.lint.findings import KINDS, Finding, general
from vilax.data.prompt import PromptEncoder


def linted(path: Path, **options: Any) -> tuple[Lint, list[Finding]]:
    lint = Lint(open_corpus("c", path), path, **options)
    return lint, list(lint.findings())


def kinds(found: list[Finding]) -> list[str]:
    assert {f.kind for f in found} <= set(KINDS)
    return [f.kind for f in found]


class Fake:
    """A reader of texts, of which some do what a test wants."""

    def __init__(self, number: int, **acts: Any) -> None:
        self.number = number
        self.acts = {int(name[1:]): act for name, act in acts.items()}

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: int) -> Document:
        if index in self.acts:
            self.acts[index]()
        return Document(self.key(index), "c", (Text(f"text {index}"),))

    def key(self, index: int) -> str:
        return f"f.x:{index}"

    def shard(self, index: int) -> str:
        return "f.x"

    def facts(self, index: int) -> dict[str, Any]:
        return {}

    def fingerprint(self) -> str:
        return "fake"


def test_a_sound_corpus_has_no_finding(tmp_path: Path) -> None:
    write_pairs(tmp_path / "0.tar", [f"a w{n}" for n in range(130)], "png")
    ticks: list[int] = []
    lint = Lint(open_corpus("c", tmp_path), tmp_path, jobs=2)
    assert list(lint.findings(ticks.append)) == []
    assert (lint.summary.samples, lint.summary.pictures, sum(ticks)) == (130, 130, lint.total)


@pytest.mark.parametrize("jobs", [1, 3])
def test_findings_come_in_order_whatever_the_number_of_processes(tmp_path: Path, jobs: int) -> None:
    records = [{"text": f"w{n} \u0007" if n % 3 else ""} for n in range(300)]
    write_lines(tmp_path / "t.jsonl", records)
    lint, found = linted(tmp_path, jobs=jobs)
    assert [f.key for f in found] == [f"t.jsonl:{n}" for n in range(1, 301)]
    assert lint.summary.number("error") == 100
    assert lint.summary.number("warning") == 200
    assert lint.summary.reasons.most_common() == [("empty text", 100)]


def test_a_sample_that_hangs_or_raises_is_named_and_the_rest_goes_on() -> None:
    def refuse() -> None:
        raise BadSample("f.x:7", "field 'text': expected str, found int")

    reader = Fake(40, _3=lambda: time.sleep(60), _5=lambda: {}["gone"], _7=refuse)
    lint = Lint(reader, None, seconds=0.3)
    found = list(lint.findings())
    assert [(f.kind, f.severity, f.key) for f in found] == [
        ("stuck", "error", "f.x:3"),
        ("reader", "error", "f.x:5"),
        ("sample", "error", "f.x:7"),
    ]
    assert "0.3 s" in found[0].message
    assert "KeyError: 'gone'" in found[1].message
    record = found[2].record()
    assert (record["field"], record["expected"]) == ("text", "str")
    assert lint.summary.samples == 40


def test_what_several_documents_share(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png", "b.png"])
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes())
    records = [conversation(["<image>", f"a w{n}"], f"{'abc'[n % 3]}.png", id=f"i{n % 5}")
               for n in range(7)]  # fmt: skip
    write_lines(tmp_path / "c.jsonl", records)
    _, found = linted(tmp_path)
    shared = {f.kind: f for f in found}
    assert kinds(found) == ["duplicate-id"] * 2 + ["same-picture"] * 2
    assert shared["duplicate-id"].severity == "warning"
    assert shared["same-picture"].severity == "info"
    first = next(f for f in found if f.kind == "duplicate-id")
    assert "2 documents" in first.message
    assert "c.jsonl:1" in first.message
    assert "c.jsonl:6" in first.message
    assert "5 documents" in found[2].message


def test_what_a_template_makes_of_documents(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png"])
    records = [
        conversation(["what", "a dog"], id="1"),
        conversation(["what", "w1 " * 30], id="2"),
        conversation(["<image>" * 9 + "what", "a"], ["a.png"] * 9, id="3"),
    ]
    write_lines(tmp_path / "c.jsonl", records)
    encoder = PromptEncoder(tokenizer(), 4)
    _, found = linted(tmp_path, encoder=encoder, template="qa", length=20)
    assert [(f.kind, f.key.split(" ")[0]) for f in found if f.kind != "same-picture"] == [
        ("long", "c.jsonl:2"),
        ("no-room", "c.jsonl:3"),
    ]
    assert "cut into 2 rows of 20" in found[0].message


def test_a_corpus_that_teaches_nothing_is_an_error() -> None:
    class Silent(Fake):
        def __getitem__(self, index: int) -> Document:
            return Document(self.key(index), "c", (Text("all of it is asked", loss=False),))

    lint = Lint(Silent(3), None)
    found = list(lint.findings())
    assert kinds(found) == ["no-loss"] * 3 + ["no-supervision"]
    assert found[-1].severity == "error"
    assert "none of 3 documents" in found[-1].message


def test_files_beside_the_data(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", ["a.png"])
    write_lines(tmp_path / "p.jsonl", [page([f"w{n}", "w2"], [("a.png", 0)]) for n in range(3)])
    write_pairs(tmp_path / "images.tar", ["a dog"])
    for name in ("README.md", "LICENSE", "0.tar.idx", ".hidden", "0_stats.json"):
        (tmp_path / name).write_text("x")
    _, found = linted(tmp_path)
    assert kinds(found) == ["same-picture"]
    (tmp_path / "more.csv").write_text("a,b")
    (tmp_path / "gone.parquet").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty.tsv").touch()
    _, found = linted(tmp_path)
    assert [(f.kind, f.severity, f.shard) for f in found if f.kind != "same-picture"] == [
        ("empty-file", "warning", "empty.tsv"),
        ("unreadable-file", "error", "gone.parquet"),
        ("other-file", "warning", "more.csv"),
    ]
    assert "p.jsonl" in found[-1].message


def test_a_sample_of_a_corpus(tmp_path: Path) -> None:
    write_lines(tmp_path / "0.jsonl", [{"text": f"w{n} \u0007"} for n in range(90)])
    write_lines(tmp_path / "1.jsonl", [{"text": "w1"}])
    lint, found = linted(tmp_path, limit=10)
    assert lint.summary.samples == lint.total == 10
    assert found == linted(tmp_path, limit=10)[1]
    assert found != linted(tmp_path, limit=10, seed=1)[1]
    assert "other-file" not in kinds(found)


def test_lines_are_lines() -> None:
    finding = Finding("error", "sample", "a.json", "a.json[3]", "no\nline \x1b[31m '" + "x" * 9)
    assert finding.line() == f"a.json[3]: error: no\\nline \\x1b[31m '{'x' * 9}  [sample]"
    beside = Finding("warning", "other-file", "a.csv", "", "not read").line()
    assert beside == "a.csv: warning: not read  [other-file]"
    assert general("picture 'a.png' of 3,000 pixels") == general("picture 'b' of 4 pixels")
