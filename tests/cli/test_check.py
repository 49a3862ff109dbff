"""`vilax check` on copies of a comparison in which something was planted."""

import shutil
from pathlib import Path

import pytest

from vilax.cli.check import grouped
from vilax.cli.main import main
from vilax.config.locate import experiments_dir


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(experiments_dir() / "order", tmp_path / "order"))


def planted(copy: Path, line: str) -> Path:
    arm = copy / "arms" / "images_first.yaml"
    arm.write_text(arm.read_text() + f"  {line}\n")
    return copy


def test_the_comparison_itself_is_sound(copy: Path) -> None:
    assert main(["check", str(copy)]) == 0


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("stages.sft.rates.llm: 1.0e-4", "stages.sft.rates.llm differs"),
        ("stages.pretrain.seed: 7", "stages.pretrain.seed differs"),
        ("stages.pretrain.blend.shuffle_buffer: 10", "stages.pretrain.blend.shuffle_buffer"),
        ("stages.pretrain.budget.images: 50000", "pretrain is to hold images equal"),
        ("corpora.pages.select.count: 100", "corpora.pages.select.count differs"),
        ("encoder.image_size: 96", "encoder.image_size differs"),
    ],
)
def test_a_planted_difference_is_caught(
    copy: Path, line: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(planted(copy, line))]) == 2
    printed = capsys.readouterr()
    assert key in printed.err
    assert "NOT controlled" in printed.out


def test_many_arms_are_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "budget"]) == 0
    printed = capsys.readouterr().out
    assert "\u2026" not in printed
    assert "frozen_double, pages_double, pairs_double" in printed


def test_values_are_grouped_by_arm() -> None:
    assert grouped({"a": "1", "b": "2", "c": "1"}) == "1: a, c\n2: b"
    assert grouped({"a": "1", "b": "1"}) == "1"
