from dataclasses import replace

import pytest

from tests.ablation.fakes import freezing
from vilax.ablation.comparison import Resolved
from vilax.ablation.control import declared, measured_faults, prove, require
from vilax.config.errors import ConfigError
from vilax.config.schema.stage import Budget


def changed(arm: str, stage: str, **keys: object) -> Resolved:
    """The comparison with one arm's stage changed behind its back."""
    resolved = freezing()
    runs = []
    for run in resolved.runs:
        if run.arm == arm:
            stages = dict(run.run.stages)
            stages[stage] = stages[stage].model_copy(update=keys)
            run = replace(run, run=run.run.model_copy(update={"stages": stages}))
        runs.append(run)
    return replace(resolved, runs=tuple(runs))


def test_freezing_is_controlled() -> None:
    proof = require(freezing())
    keys = {difference.key: difference.values for difference in proof.differences}
    assert keys["stages.pretrain.freeze.llm.mode"] == {
        "a": "frozen",
        "b": "frozen",
        "c": "trained",
        "d": "trained",
    }
    assert keys["projector.kind"]["d"] == "linear"
    assert keys["projector.blocks"]["d"] == "-"
    assert {budget.stage for budget in proof.budgets} == {"text", "align", "pretrain", "sft"}
    assert proof.equal > 50


def test_another_learning_rate_is_refused_by_name() -> None:
    rates = freezing().arms["c"].stages["sft"].rates.model_copy(update={"llm": 5e-4})
    with pytest.raises(ConfigError, match=r"stages\.sft\.rates\.llm differs .*c: 0\.0005"):
        require(changed("c", "sft", rates=rates))


def test_another_seed_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"stages\.align\.seed"):
        require(changed("b", "align", seed=5))


def test_another_number_of_tokens_is_refused() -> None:
    resolved = changed("a", "pretrain", budget=Budget(tokens=1000))
    comparison = resolved.comparison.model_copy(
        update={"varies": (*resolved.comparison.varies, "stages.*.budget")}
    )
    with pytest.raises(ConfigError, match="pretrain is to hold tokens equal"):
        require(replace(resolved, comparison=comparison))


def test_execution_keys_may_differ() -> None:
    resolved = freezing()
    first = resolved.runs[0]
    trainer = first.run.trainer.model_copy(update={"log_steps": 99})
    other = replace(first, run=first.run.model_copy(update={"trainer": trainer}))
    assert not prove(replace(resolved, runs=(other, *resolved.runs[1:]))).faults


def test_a_declared_key_in_which_no_arm_differs_is_refused() -> None:
    resolved = freezing()
    comparison = resolved.comparison.model_copy(
        update={"varies": (*resolved.comparison.varies, "encoder")}
    )
    with pytest.raises(ConfigError, match="encoder is declared in varies"):
        require(replace(resolved, comparison=comparison))


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("projector.kind", "projector"),
        ("stages.sft.freeze.llm.mode", "stages.*.freeze"),
        ("stages.sft.rates.llm", ""),
        ("projectors.kind", ""),
        ("stages", ""),
    ],
)
def test_declared_keys_cover_what_lies_under_them(key: str, pattern: str) -> None:
    assert declared(key, ("projector", "stages.*.freeze")) == pattern


def test_measured_counts_must_agree() -> None:
    counts = {"a": {"sft": {"tokens": 1000}}, "b": {"sft": {"tokens": 1015}}}
    assert measured_faults("tokens", counts) == []
    counts["b"]["sft"]["tokens"] = 1100
    assert "b: 1100" in measured_faults("tokens", counts)[0]
