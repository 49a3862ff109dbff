"""A scaffolded comparison holds as it stands."""

from pathlib import Path

import pytest

from vilax.ablation.comparison import resolve
from vilax.ablation.control import require
from vilax.cli.main import main


def test_what_is_written_is_controlled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "comparison", "second_layer", "--to", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    folder = Path(printed.out.strip())
    assert folder == tmp_path / "second_layer"
    assert f"vilax check {folder}" in printed.err
    assert not list(tmp_path.glob(".*"))
    proof = require(resolve(str(folder)))
    assert [d.key for d in proof.differences] == ["projector.kind", "projector.depth"]
    assert main(["check", str(folder)]) == 0
    assert "controlled" in capsys.readouterr().out


def test_it_lands_in_a_configuration_folder(tmp_path: Path) -> None:
    words = ["new", "comparison", "mine", "--config-dir", str(tmp_path)]
    assert main(words) == 0
    assert main(["check", "mine", "--config-dir", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["experiment", "x"], "comparison"),
        (["comparison", "My layer"], "such as my_layer"),
        (["comparison", "../x"], "is no name"),
    ],
)
def test_bad_requests(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", *words, "--to", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["new", "comparison", "mine", "--to", str(tmp_path)]
    assert main(words) == 0
    assert main(words) == 2
    assert "exists" in capsys.readouterr().err
