"""Naming a budget in one unit takes the place of the scale's, whatever that is counted in."""

from vilax.config.compose import compose_run


def test_a_budget_replaces_that_of_another_unit() -> None:
    given = compose_run(["stages.align.budget.tokens=5000"]).stages["align"].budget
    assert (given.kind, given.amount) == ("tokens", 5000)
    assert compose_run([]).stages["align"].budget.kind == "images"


def test_the_last_of_two_units_counts() -> None:
    words = ["stages.sft.budget.tokens=5", "stages.sft.budget.documents=7"]
    assert compose_run(words).stages["sft"].budget.model_dump(exclude_none=True) == {"documents": 7}
