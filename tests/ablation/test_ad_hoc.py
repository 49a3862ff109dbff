"""A multirun as a comparison of the report."""

import json
from pathlib import Path

import pytest

from tests.ablation.fakes import FakeStore
from tests.training.test_stage import TINY, outputs, tiny_world  # noqa: F401
from vilax.ablation.ad_hoc import collect_ad_hoc, resolve_ad_hoc
from vilax.ablation.comparison import Resolved
from vilax.cli.main import main
from vilax.cli.overrides import combined, parse
from vilax.config.errors import ConfigError


def resolved(*words: str) -> Resolved:
    return resolve_ad_hoc(words, combined(parse(["-m", *words])).chosen)


def test_arms_are_the_combinations_without_the_seed() -> None:
    one = resolved("seed=0,1", "projector=linear,mlp", "stages.align.batch=2,4", "until=align")
    assert one.name == "multirun-projector-stages.align.batch"
    assert one.seeds == (0, 1)
    assert list(one.comparison.arms) == [
        "projector=linear,stages.align.batch=2",
        "projector=linear,stages.align.batch=4",
        "projector=mlp,stages.align.batch=2",
        "projector=mlp,stages.align.batch=4",
    ]
    assert [(run.arm, run.seed) for run in one.runs[:3]] == [
        ("projector=linear,stages.align.batch=2", 0),
        ("projector=linear,stages.align.batch=2", 1),
        ("projector=linear,stages.align.batch=4", 0),
    ]
    assert {run.stage for run in one.runs} == {"align"}
    assert one.comparison.claims == {} and one.comparison.paper.rows == {}
    assert one.comparison.varies == ("projector", "stages.align.batch")
    assert next(iter(one.comparison.endpoints)) == "average"
    assert one.runs[0].command.startswith("vilax evaluate seed=0 projector=linear")


def test_it_is_called_after_the_name_given() -> None:
    assert resolved("projector=linear,mlp", "name=depths").name == "multirun-depths"
    assert resolved("seed=0,1").name == "multirun-seed"
    assert list(resolved("seed=0,1").comparison.arms) == ["all"]


def test_paths_make_arms_that_can_be_files(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("# Mine\nkind: mlp\ndepth: 4\n")
    arms = list(resolved(f"projector=linear,{mine}").comparison.arms)
    assert arms[0] == "projector=linear"
    assert "/" not in arms[1] and arms[1].endswith("mine.yaml")


def test_a_report_is_of_one_scale() -> None:
    with pytest.raises(ConfigError, match="a report is of one scale"):
        resolved("scale=micro,mini")


def test_nothing_evaluated_is_no_comparison() -> None:
    assert collect_ad_hoc(resolved("seed=0,1"), FakeStore().lookup(), "") is None


def test_a_multirun_lands_in_the_report(
    outputs: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    words = ["projector=linear,mlp", *TINY, "until=align", "logger.wandb=disabled"]
    words += ["evaluation.tasks={classify: {kind: classify, items: 4, shots: [0]}}"]
    assert main(["evaluate", "-m", *words]) == 0
    page = Path(capsys.readouterr().out.splitlines()[-1])
    report = json.loads((page.parent / "report.json").read_text())
    found = report["comparisons"]["multirun-projector"]
    assert list(found["arms"]) == ["projector=linear", "projector=mlp"]
    assert all(list(arm["seeds"]) == ["0"] for arm in found["arms"].values())
    assert found["claims"] == {}
    assert found["command"].startswith("vilax evaluate -m projector=linear,mlp micro.concepts=24")
    assert "multirun-projector" in page.read_text()
