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


def test_another_number_of_pictures_is_refused() -> None:
    with pytest.raises(ConfigError, match="pretrain is to hold images equal"):
        require(changed("a", "pretrain", budget=Budget(images=1000)))


def test_a_budget_that_is_studied_may_differ() -> None:
    resolved = changed("a", "pretrain", budget=Budget(images=1000))
    varies = (*resolved.comparison.varies, "stages.pretrain.budget")
    studied = resolved.comparison.model_copy(update={"varies": varies})
    assert not prove(replace(resolved, comparison=studied)).faults


def test_other_data_want_a_budget_in_the_held_quantity() -> None:
    """The same number of tokens of other corpora is another number of pictures."""
    resolved = freezing()
    runs = []
    for run in resolved.runs:
        stages = dict(run.run.stages)
        blend = stages["pretrain"].blend
        if run.arm == "a":
            blend = blend.model_copy(update={"corpora": {"pairs": 1.0}})
        changes = {"blend": blend, "budget": Budget(tokens=1_000_000)}
        stages["pretrain"] = stages["pretrain"].model_copy(update=changes)
        runs.append(replace(run, run=run.run.model_copy(update={"stages": stages})))
    varies = (*resolved.comparison.varies, "stages.pretrain.blend")
    studied = resolved.comparison.model_copy(update={"varies": varies})
    faults = prove(replace(resolved, runs=tuple(runs), comparison=studied)).faults
    assert any("pretrain" in fault and "budget in images" in fault for fault in faults)


def test_evaluating_another_stage_is_refused_unless_declared() -> None:
    resolved = freezing()
    runs = tuple(replace(run, stage="pretrain") if run.arm == "d" else run for run in resolved.runs)
    with pytest.raises(ConfigError, match=r"stage differs .*d: pretrain"):
        require(replace(resolved, runs=runs))


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
