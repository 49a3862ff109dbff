"""What dashboards are given: wandb runs offline, TensorBoard, CSV, and the workspace from code."""

import csv
import json
import subprocess
from pathlib import Path

import pytest

from tests.ablation.report.samples import collected
from vilax.ablation.comparison import resolve
from vilax.ablation.dashboards import workspace
from vilax.ablation.dashboards.publish import Published, measured, publish_arm
from vilax.ablation.dashboards.wandb_runs import SHOWN, predictions, scores
from vilax.cli.main import main


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """Arm d of the sample comparison, with no logger."""
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))
    one = collected(tmp_path / "results")
    run = next(run for run in one.resolved.runs if run.arm == "d")
    stages = [(name, one.results["d", 0, name]) for name in run.run.order]
    evaluation = one.results["d", 0, "evaluation"]
    figures = measured(one.measures["d", 0])
    return Published("freezing", "d", 0, run.run, stages, evaluation, figures)


def logged(published: Published, **settings: object) -> Published:
    logger = published.run.logger.model_copy(update=settings)
    run = published.run.model_copy(update={"logger": logger})
    return Published(**{**published.__dict__, "run": run})


def test_disabled_writes_nothing(published: Published, tmp_path: Path) -> None:
    assert publish_arm(logged(published, wandb="disabled")) == []
    assert not (tmp_path / "outputs").exists()


def test_csv_holds_every_row_and_figure(published: Published) -> None:
    files = publish_arm(logged(published, wandb="disabled", csv=True))
    by_name = {file.name: file for file in files}
    assert set(by_name) == {"text.csv", "align.csv", "pretrain.csv", "sft.csv", "figures.csv"}
    with by_name["sft.csv"].open() as file:
        rows = list(csv.DictReader(file))
    source = published.stages[-1][1].folder / "metrics.jsonl"
    losses = [json.loads(line)["loss"] for line in source.open()]
    assert [float(row["loss"]) for row in rows] == losses
    with by_name["figures.csv"].open() as file:
        figures = {row["figure"]: float(row["value"]) for row in csv.DictReader(file)}
    assert figures["measures/alignment/values/4"] > 0
    for name, value in scores(published.evaluation):  # type: ignore[arg-type]
        assert figures[f"evaluation/{name}"] == value


def test_tensorboard_reads_what_was_written(published: Published) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = logged(published, wandb="disabled", tensorboard=True)
    (folder,) = publish_arm(settings)
    events = EventAccumulator(str(folder)).Reload()
    assert len(events.Scalars("sft/loss")) == 100
    assert "evaluation/relation/4-shot" in events.Tags()["scalars"]
    before = sorted(folder.iterdir())
    assert publish_arm(settings) == [folder]
    assert sorted(folder.iterdir()) == before


def test_a_wandb_run_is_written_offline_and_once(published: Published, tmp_path: Path) -> None:
    settings = logged(published, wandb="offline")
    (marker,) = publish_arm(settings)
    folders = list((tmp_path / "outputs" / "wandb").glob("offline-run-*"))
    assert len(folders) == 1
    tables = list(folders[0].rglob("*.table.json"))
    assert len(tables) == 1
    table = json.loads(tables[0].read_text())
    assert table["columns"][:4] == ["task", "shots", "id", "picture"]
    assert len(table["data"]) == len(predictions(published.evaluation))  # type: ignore[arg-type]
    assert publish_arm(settings) == [marker]
    assert len(list((tmp_path / "outputs" / "wandb").glob("offline-run-*"))) == 1


def test_predictions_are_few_and_the_same_each_time(published: Published) -> None:
    assert published.evaluation is not None
    shown = predictions(published.evaluation)
    by_task: dict[str, int] = {}
    for row in shown:
        by_task[row["task"]] = by_task.get(row["task"], 0) + 1
    assert by_task and all(count <= SHOWN for count in by_task.values())
    assert shown == predictions(published.evaluation)


def test_the_workspace_has_every_stage_and_task() -> None:
    compared = [resolve("freezing"), resolve("corpus")]
    made = workspace.workspace(compared, "me", "vilax")
    assert [section.name.partition(":")[0] for section in made.sections] == ["freezing", "corpus"]
    text = made._to_model().model_dump_json(by_alias=True)
    for word in ("pretrain/loss", "evaluation/relation/4-shot", "evaluation/predictions"):
        assert word in text


def test_the_report_has_every_claim() -> None:
    resolved = resolve("freezing")
    made = workspace.report([resolved], "me", "vilax")
    text = repr(made.blocks)
    for claim in resolved.comparison.claims.values():
        assert claim.text in text and claim.paper in text


def test_without_a_key_a_file_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert main(["dashboard", "freezing"]) == 2
    assert "WANDB_API_KEY is not set" in capsys.readouterr().err
    file = tmp_path / "workspace.json"
    assert main(["dashboard", "freezing", "--to", str(file)]) == 0
    assert "freezing: Freezing the LLM" in file.read_text()


def test_sync_says_what_the_server_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    words: list[str] = []

    def refuse(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        words.extend(command)
        return subprocess.CompletedProcess(command, 1, "", "permission denied")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert workspace.sync("", "vilax") == []
    (tmp_path / "wandb" / "offline-run-1").mkdir(parents=True)
    assert main(["dashboard", "freezing", "--sync"]) == 2
    printed = capsys.readouterr().err
    assert "offline-run-1" in printed and "permission denied" in printed
    assert words[1:6] == ["-m", "wandb", "sync", "--project", "vilax"]
