"""``vilax data derive`` writes what the same choice in a config makes."""

from pathlib import Path

import pytest

from tests.data.writers import page, picture, write_lines
from vilax.cli.main import main
from vilax.config.schema.selection import Derivation
from vilax.data.derive import derive
from vilax.data.document import Document, Segment, Text
from vilax.data.formats import open_corpus


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))


def run(*words: object) -> int:
    return main(["data", "derive", *map(str, words)])


def pages(folder: Path) -> Path:
    several = [("x.png", 0), ("y.png", 2)]
    rows = [page(["a b.", "c", f"d {n}"], several, [picture(n), picture(n + 1)]) for n in range(7)]
    write_lines(folder / "p.jsonl", rows)
    return folder / "p.jsonl"


def said(documents: list[Document]) -> list[list[Segment | tuple[str, bool]]]:
    return [
        [(s.text, s.loss) if isinstance(s, Text) else s for s in document.segments]
        for document in documents
    ]


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (("--pairs",), Derivation(pairs=True)),
        (("--order", "images_first"), Derivation(order="images_first")),
        (("--loss", "following"), Derivation(loss="following")),
        (("--max-images", 1), Derivation(images=1)),
        (("--max-images", 1, "--pairs"), Derivation(images=1, pairs=True)),
    ],
)
def test_shards_hold_what_the_choice_makes(
    tmp_path: Path, words: tuple[object, ...], made: Derivation
) -> None:
    source, to = pages(tmp_path), tmp_path / "to"
    assert run(source, "--to", to, *words, "--shard-size", 3, "--jobs", 1) == 0
    reader = open_corpus("p", source)
    expected = [d for n in range(len(reader)) for d in derive(reader[n], made)]
    there = open_corpus("to", to)
    assert said([there[n] for n in range(len(there))]) == said(expected)
    assert len(list(to.glob("*.tar"))) == 3


def test_other_settings_are_another_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, to = pages(tmp_path), tmp_path / "to"
    assert run(source, "--to", to, "--pairs") == 0
    assert run(source, "--to", to, "--loss", "following") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(source, "--to", tmp_path / "x") == 2
    assert "--pairs" in capsys.readouterr().err
