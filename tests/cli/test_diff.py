"""`vilax diff`: arms as configured, and results as stored."""

import json

import pytest

from tests.training.test_stage import TINY
from vilax.ablation.nodes import evaluate_stage
from vilax.cli.main import main
from vilax.config.compose import compose_run
from vilax.training.recipe import run_recipe


def found(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    assert main(["diff", *words, "--json"]) == 0
    content: dict = json.loads(capsys.readouterr().out)
    return content


def test_arms_that_differ_in_freezing(capsys: pytest.CaptureFixture[str]) -> None:
    content = found(["freezing:b", "freezing:c"], capsys)
    assert content["settings"] == {"stages.pretrain.freeze.llm.mode": ["frozen", "trained"]}
    assert content["policies"] == {"pretrain": {"llm": ["frozen", "trained"]}}
    assert content["data"] == {} and content["order"] == {}


def test_arms_that_see_other_data(capsys: pytest.CaptureFixture[str]) -> None:
    content = found(["corpus:pages", "corpus:pairs"], capsys)
    assert set(content["data"]["pretrain"]) == {"pages", "pairs"}
    assert "other data" in content["order"]["pretrain"]
    assert "align" not in content["order"]


def test_another_seed_is_another_order(capsys: pytest.CaptureFixture[str]) -> None:
    content = found(["freezing:d:0", "freezing:d:1"], capsys)
    assert content["settings"] == {"seed": [0, 1]}
    # The base LLM is given, whatever the seed.
    assert set(content["order"]) == {"align", "pretrain", "sft"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["freezing:x", "freezing:b"], "arm of freezing"),
        (["freezing:b:one", "freezing:b"], "COMPARISON:ARM:SEED"),
        (["frezing:b", "freezing:b"], "freezing"),
        (["abcdef", "freezing:b"], "abcdef"),
    ],
)
def test_bad_requests(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    assert main(["diff", *words]) == 2
    assert message in capsys.readouterr().err


def test_stored_results_show_what_they_saw_and_scored(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    tasks = "{relation: {kind: relation, items: 4, shots: [0, 2]}}"
    names = []
    for projector in ("linear", "mlp"):
        run = compose_run([*TINY, f"projector={projector}", f"evaluation.tasks={tasks}"])
        names.append(run_recipe(run)[-1].identity[:10])
        evaluate_stage(run, "sft")
    capsys.readouterr()
    content = found(names, capsys)
    assert content["settings"]["projector.kind"] == ["linear", "mlp"]
    first, second = content["counts"]["sft"]["tokens"]
    assert first == second > 0
    assert set(content["scores"]["relation"]) == {"0", "2"}
    assert main(["diff", *names]) == 0
    printed = capsys.readouterr().out
    assert "projector.kind" in printed and "relation, 2 shots" in printed
    assert main(["diff", names[0], names[0]]) == 0
    assert "no difference in settings, data or order" in capsys.readouterr().out
