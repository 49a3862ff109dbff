import pytest

from tests.ablation.fakes import freezing
from vilax.ablation.comparison import override_text, resolve
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError


def test_freezing_has_the_four_arms_of_table_1() -> None:
    arms = freezing().arms
    modes = {
        arm: (
            run.stages["pretrain"].freeze.llm.mode,
            run.stages["sft"].freeze.llm.mode,
            run.projector.kind,
        )
        for arm, run in arms.items()
    }
    assert modes == {
        "a": ("frozen", "frozen", "transformer"),
        "b": ("frozen", "trained", "transformer"),
        "c": ("trained", "trained", "transformer"),
        "d": ("trained", "trained", "linear"),
    }


def test_every_arm_runs_at_every_seed() -> None:
    resolved = freezing((3, 5, 3))
    assert resolved.seeds == (3, 5)
    assert [run.label for run in resolved.runs][:4] == ["a/3", "a/5", "b/3", "b/5"]
    assert {run.run.seed for run in resolved.runs} == {3, 5}


def test_the_command_of_an_arm_composes_to_the_same_run() -> None:
    for arm in freezing((7,)).runs:
        words = arm.command.split()
        assert words[:2] == ["vilax", "evaluate"]
        again = compose_run(words[2:])
        assert again.model_copy(update={"name": arm.run.name}) == arm.run


def test_extra_overrides_reach_all_arms() -> None:
    resolved = freezing(extra=("stages.sft.budget.tokens=5000",))
    assert {run.stages["sft"].budget.tokens for run in resolved.arms.values()} == {5000}


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("projector=mlp", "differ in projector"),
        ("projector.depth=3", "differ in projector"),
        ("stages.sft.freeze.llm.mode=frozen", r"differ in stages\.sft\.freeze"),
        ("seed=1", "--seeds"),
        ("scale=mini", "--scale"),
        ("stages.sft.lenght=3", "length"),
    ],
)
def test_extra_overrides_that_would_undo_the_comparison_are_refused(extra: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        freezing(extra=(extra,))


def test_an_unknown_comparison_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="freezing"):
        resolve("frezing")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("projector", "linear", "projector=linear"),
        ("stages.sft.blend", "my blends/x.yaml", "stages.sft.blend=my blends/x.yaml"),
        ("stages.sft.seed", None, "stages.sft.seed=null"),
        ("features.cache", True, "features.cache=true"),
        ("order", ["align", "sft"], "order=[align, sft]"),
        ("stages.sft.budget", {"tokens": 5}, "stages.sft.budget={tokens: 5}"),
        ("llm.source", "a b'c", r"llm.source='a b\'c'"),
    ],
)
def test_yaml_values_become_overrides(key: str, value: object, text: str) -> None:
    assert override_text(key, value) == text
