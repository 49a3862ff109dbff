"""The command line as a user types it."""

import subprocess
import sys

import pytest

from vilax.cli.main import COMMANDS, main
from vilax.config.describe import STAGE_GROUPS, TOP_GROUPS, choices


def test_a_bad_key_exits_2_with_one_message() -> None:
    words = [sys.executable, "-m", "vilax.cli.main", "train", "encoder.imagesize=3"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "encoder.image_size" in done.stderr


def test_commands_are_listed_and_a_misspelt_one_is_guessed(capsys) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    assert main(["trian"]) == 2
    assert "did you mean 'train'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_help_lists_every_choice(command: str, capsys) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    for group in (*TOP_GROUPS, *STAGE_GROUPS):
        for name, line in choices(group).items():
            assert name in shown and line in shown


@pytest.mark.parametrize(
    "words",
    [["--cfgg", "job"], ["--cfg", "hydra"], ["--config-dir"], ["--config-dir", "no/such/place"]],
)
def test_bad_options_exit_2(words: list[str], capsys) -> None:
    assert main(["train", *words]) == 2
    assert capsys.readouterr().err.startswith("vilax: ")


def test_cfg_job_prints_the_recipe(capsys) -> None:
    assert main(["train", "--cfg", "job", "projector=transformer"]) == 0
    assert "kind: transformer" in capsys.readouterr().out


def test_a_multirun_runs_every_combination(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    ran = []
    monkeypatch.setattr(
        "vilax.cli.train.train",
        lambda run: ran.append((run.stages["pretrain"].freeze.llm.mode, run.seed, run.name)),
    )
    freeze = "stages.pretrain.freeze=projector_only,llm_and_projector"
    assert main(["train", "-m", freeze, "seed=3,4", "name=x"]) == 0
    assert ran == [
        ("frozen", 3, "x"),
        ("frozen", 4, "x"),
        ("trained", 3, "x"),
        ("trained", 4, "x"),
    ]


def test_a_multirun_with_one_bad_combination_starts_none(monkeypatch, capsys) -> None:
    monkeypatch.setattr("vilax.cli.train.train", lambda run: pytest.fail("it started"))
    assert main(["train", "-m", "projector=linear,linaer"]) == 2
    assert "did you mean 'linear'" in capsys.readouterr().err
