"""Work of nodes, and of stored results by what determined them: the same."""

from pathlib import Path

import pytest

from tests.ablation.fakes import freezing
from vilax.ablation.costs import evaluation_cost, measures_cost, stage_cost, stored_cost
from vilax.artifacts.identity import science_dump
from vilax.artifacts.store import Entry
from vilax.config.schema.run import Run
from vilax.evaluation.identity import evaluation_inputs
from vilax.training.recipe import stage_inputs


def run() -> Run:
    return freezing().runs[0].run


def stored(kind: str, inputs: dict[str, object]) -> float:
    return stored_cost(Entry(kind, "x", Path(), inputs, {}, {}))


@pytest.mark.parametrize("stage", ["text", "align", "sft"])
def test_stages_cost_what_their_stored_results_cost(stage: str) -> None:
    assert stored("stage", stage_inputs(run(), stage)) == stage_cost(run(), stage) > 0


@pytest.mark.parametrize("stage", ["text", "sft"])
@pytest.mark.parametrize("limit", [None, 20])
def test_so_do_evaluations(stage: str, limit: int | None) -> None:
    asked = run().evaluation.model_copy(update={"limit": limit})
    one = run().model_copy(update={"evaluation": asked})
    inputs = evaluation_inputs(one, stage, "x", "data", stage != "text")
    assert stored("evaluation", inputs) == evaluation_cost(one, stage) > 0


def test_and_measures() -> None:
    inputs = {"settings": science_dump(run().measures)}
    assert stored("measures", inputs) == measures_cost(run()) > 0


def test_a_record_of_another_form_teaches_nothing() -> None:
    assert stored("stage", {}) == stored("stage", {"stage": {"budget": {}}}) == 0
