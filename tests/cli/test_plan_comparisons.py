"""``vilax plan`` of comparisons, and that ``vilax compare --plan`` says the same."""

import json
from pathlib import Path

import pytest

from vilax.ablation.comparison import resolve_all
from vilax.cli import sweep_table
from vilax.cli.main import main
from vilax.planning.hardware import find_gpu
from vilax.planning.plan import Machine


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(list(words))
    return capsys.readouterr().out


def test_both_commands_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "plan", "corpus", "joint_sft", "--seeds", "0,1")
    assert shown == said(capsys, "compare", "corpus", "joint_sft", "--plan", "--seeds", "0,1")
    # An arm of each that pre-trains on pages needs the same stage.
    assert "corpus:pages/0, joint_sft:pages_visual/0" in shown
    for words in ("sharing saves", "assumed", "stage text left out"):
        assert words in shown
    # Nothing is made.
    assert list(tmp_path.iterdir()) == []


def test_a_price_puts_money_on_time(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "plan", "freezing", "price=2", "--json"))
    seconds = found["seconds"]
    assert seconds["shared"] < seconds["apart"]
    assert found["cost"] == pytest.approx(2 * seconds["shared"] / 3600)
    saved = 2 * (seconds["apart"] - seconds["shared"]) / 3600
    assert found["cost_saved"] == pytest.approx(saved)
    assert {node["stage"] for node in found["nodes"]} >= {"text", "align", "pretrain", "sft"}
    kinds = {node["kind"] for node in found["nodes"]}
    assert kinds == {"data", "pictures", "stage", "evaluation", "measures"}


def test_on_gpus_memory_and_hours_are_planned(capsys: pytest.CaptureFixture[str]) -> None:
    extra = ("trainer=fsdp", "trainer.devices=8", "trainer.precision=bf16")
    resolved = resolve_all(["order"], (), "paper", extra)
    machine = Machine(8, find_gpu("a100-80g"), 1.5, 0.4)
    planned = sweep_table.sweep(resolved, 2, 0, machine)
    found = sweep_table.record(planned, 1.5)
    nodes = found["nodes"]
    assert {node["source"] for node in nodes} == {"planned"}
    stages = {node["identity"]: node for node in nodes if node["kind"] == "stage"}
    # Align is the same; pages in another order make another pretrain, and so another sft.
    names = sorted(node["stage"] for node in stages.values())
    assert names == ["align", "pretrain", "pretrain", "sft", "sft"]
    shared = found["shared"]
    assert (shared["stages"], shared["distinct"]) == (6, 5)
    evaluated = [node for node in nodes if node["kind"] == "evaluation"]
    assert len(evaluated) == 2 and all(node["gpu_hours"] > 0 for node in evaluated)
    assert found["gpu_hours"] == pytest.approx(sum(node["gpu_hours"] for node in nodes))
    assert found["cost"] == pytest.approx(1.5 * found["gpu_hours"])
    align = next(node for node in stages.values() if node["stage"] == "align")
    (untouched,) = (n for n in nodes if n["kind"] == "measures" and n["stage"] == "align")
    once = align["gpu_hours"] + untouched["gpu_hours"]
    assert shared["gpu_hours_saved"] == pytest.approx(once)
    # A stage takes all GPUs, so nothing of the others' begins before it ends.
    starts = sorted(node["starts"] for node in stages.values())
    assert starts[:2] == [0, pytest.approx(align["seconds"])]
    sweep_table.show(planned, 1.5)
    shown = capsys.readouterr().out
    assert f"{found['gpu_hours']:,.1f} GPU-hours with sharing" in shown
    assert "on 8 x a100-80g" in shown
    for plan in planned.plans.values():
        assert f"{plan.memory.peak / 2**30:,.2f}" in shown
    assert ("does NOT fit" in shown) == any(not plan.fits for plan in planned.plans.values())


def test_a_comparison_of_one_scale_needs_no_scale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "main", "--cfg", "job"]) == 0
    assert "scale: paper" in capsys.readouterr().out
    assert main(["plan", "main", "--scale", "micro"]) == 2
    assert "--scale paper" in capsys.readouterr().err


def test_an_uncontrolled_comparison_is_not_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "experiments" / "mine"
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
    assert main(["plan", "mine", "--config-dir", str(tmp_path)]) == 2
    assert "stages.sft.rates.llm differs" in capsys.readouterr().err
