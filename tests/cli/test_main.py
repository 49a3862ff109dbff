"""The command line as a user types it."""

import subprocess
import sys

import pytest
import yaml

from vilax.cli.main import COMMANDS, main
from vilax.cli.train import launched, needs_launch
from vilax.config.compose import compose_run
from vilax.config.describe import STAGE_GROUPS, TOP_GROUPS, choices
from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run


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
    [
        ["--cfgg", "job"],
        ["--cfg", "hydra"],
        ["-m", "--cfg", "job"],
        ["--config-dir"],
        ["--config-dir", "no/such/place"],
    ],
)
def test_bad_options_exit_2(words: list[str], capsys) -> None:
    assert main(["train", *words]) == 2
    assert capsys.readouterr().err.startswith("vilax: ")


def test_cfg_job_prints_the_recipe(capsys) -> None:
    assert main(["train", "--cfg", "job", "projector=transformer"]) == 0
    assert "kind: transformer" in capsys.readouterr().out


def test_help_lists_the_choices_of_a_users_folder(capsys, tmp_path) -> None:
    (tmp_path / "projector").mkdir()
    (tmp_path / "projector" / "deep.yaml").write_text("# Deeper still\nkind: mlp\ndepth: 8\n")
    assert main(["train", "--help", "--config-dir", str(tmp_path)]) == 0
    assert "Deeper still" in capsys.readouterr().out


def test_a_multirun_runs_every_combination(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "out put"))
    mine = tmp_path / "mine.yaml"
    mine.write_text("# Mine\nkind: mlp\ndepth: 4\n")
    ran = []
    monkeypatch.setattr(
        "vilax.cli.train.train",
        lambda run: ran.append((run.stages["pretrain"].freeze.llm.mode, run.projector.kind)),
    )
    freeze = "stages.pretrain.freeze=projector_only,llm_and_projector"
    assert main(["train", "-m", freeze, f"projector=transformer,{mine}", "name=x"]) == 0
    assert ran == [
        ("frozen", "transformer"),
        ("frozen", "mlp"),
        ("trained", "transformer"),
        ("trained", "mlp"),
    ]
    folders = sorted((tmp_path / "out put" / "multirun").glob("*/[0-9]*/config.yaml"))
    runs = [Run.model_validate(yaml.safe_load(file.read_text())) for file in folders]
    assert [run.projector.kind for run in runs] == ["transformer", "mlp"] * 2
    assert {run.name for run in runs} == {"x"}


def test_a_bad_request_found_by_a_job_exits_2(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))

    def refuse(run: Run) -> None:
        raise ConfigError("corpora.pages.path=x does not exist")

    monkeypatch.setattr("vilax.cli.train.train", refuse)
    assert main(["train", "-m", "seed=0,1"]) == 2
    assert "vilax: corpora.pages.path=x does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["hydra/launcher=joblbi", "seed=interval(0,1)", "name=a(b"])
def test_a_multirun_that_hydra_cannot_read_exits_2(word: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr("vilax.cli.train.train", lambda run: pytest.fail("it started"))
    assert main(["train", "-m", "seed=0,1", word]) == 2
    assert capsys.readouterr().err.startswith("vilax: ")


def test_processes_are_launched_with_the_same_words() -> None:
    words = ["trainer=ddp", "trainer.devices=2", "seed=3"]
    run = compose_run(words)
    assert needs_launch(run)
    command = launched(run, words)
    assert "--nproc-per-node=2" in command
    assert command[-4:] == ["train", *words]
    assert not needs_launch(compose_run([]))


def test_a_multirun_with_one_bad_combination_starts_none(monkeypatch, capsys) -> None:
    monkeypatch.setattr("vilax.cli.train.train", lambda run: pytest.fail("it started"))
    assert main(["train", "-m", "projector=linear,linaer"]) == 2
    assert "did you mean 'linear'" in capsys.readouterr().err
