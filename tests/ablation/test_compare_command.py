"""``vilax compare`` and ``vilax check`` as they are typed, with nothing to train."""

from pathlib import Path

import pytest

from vilax.cli import check, compare
from vilax.cli.main import main
from vilax.config.errors import ConfigError


def test_plan_trains_nothing_and_shows_what_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    assert main(["compare", "freezing", "--plan", "--seeds", "0,1"]) == 0
    shown = capsys.readouterr().out
    assert "32 stages of all arms and seeds are 19 distinct ones" in shown
    assert list(tmp_path.iterdir()) == []


def test_check_prints_the_proof(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["freezing"]) == 0
    shown = capsys.readouterr().out
    assert "stages.pretrain.freeze.llm.mode" in shown
    assert "controlled: 6 keys differ" in shown


def test_check_of_an_uncontrolled_comparison_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    (folder / "arms").mkdir(parents=True)
    (folder / "comparison.yaml").write_text(
        "title: Mine\nquestion: Which?\nvaries: [projector]\n"
        "endpoints: {score: {title: Score, tasks: [open_answer]}}\n"
        "paper: {source: none, columns: [], rows: {}}\n"
        "claims: {}\n"
    )
    (folder / "arms" / "one.yaml").write_text("title: One\noverrides: {projector: mlp}\n")
    (folder / "arms" / "two.yaml").write_text(
        "title: Two\noverrides: {projector: linear, stages.sft.rates.llm: 0.01}\n"
    )
    assert main(["check", str(folder)]) == 2
    said = capsys.readouterr()
    assert "NOT DECLARED" in said.out
    assert "stages.sft.rates.llm differs" in said.err
    assert main(["compare", str(folder), "--plan"]) == 2


@pytest.mark.parametrize("text", ["a", "0,-1", "0;1", "1.5"])
def test_bad_seeds_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--seeds"):
        compare.read_seeds(text)


def test_seeds_are_read() -> None:
    assert compare.read_seeds("0,1, 2") == (0, 1, 2)
    assert compare.read_seeds(None) == ()
