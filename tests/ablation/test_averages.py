"""The paper's averages: at paper scale they come out of the columns that the paper prints."""

import pytest
from pydantic import ValidationError

from vilax.ablation.claims import judge
from vilax.ablation.collect import ArmFacts, Collected, TaskScores
from vilax.ablation.comparison import Resolved, resolve
from vilax.ablation.report.content import comparison
from vilax.config.comparisons import comparison_names, load_comparison
from vilax.config.compose import compose_task
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.comparison import Endpoint
from vilax.config.validate import validate
from vilax.evaluation.question import Question
from vilax.evaluation.scorers import score

COLUMNS = {
    "OKVQA": "okvqa_completion",
    "TextVQA": "textvqa_completion",
    "COCO": "coco_completion",
    "Flickr": "flickr30k_completion",
}
"""The paper's name of a column to ours of the task."""


def printed_scale(name: str, task: BenchmarkTask) -> float:
    """What the task's own scorer says that tables print where the score is 1."""
    texts = ("a red dog", "two cats on a mat")
    questions = [Question(text, text, "", (), (text,) * 10, {}, None, {}, {}) for text in texts]
    return score(name, task, questions, texts).scale


@pytest.fixture(scope="module")
def freezing() -> Resolved:
    return resolve("freezing", scale="paper")


def of_the_paper(freezing: Resolved) -> dict[str, TaskScores]:
    """Items whose mean is what Table 1 says of each arm, as the evaluation would store them."""
    table = freezing.comparison.paper
    tasks = next(iter(freezing.arms.values())).evaluation.tasks
    found: dict[str, TaskScores] = {}
    for arm, cells in table.rows.items():
        scores: TaskScores = {}
        for column, cell in zip(table.columns, cells, strict=True):
            name, _, k = column.rpartition(" ")
            if name in COLUMNS:
                task = tasks[COLUMNS[name]]
                assert isinstance(task, BenchmarkTask) and isinstance(cell, float)
                share = cell / printed_scale(name, task)
                # Items differ, so that claims have something to vary over.
                items = {f"{name}-{i}": share * (0.9 + 0.1 * i) for i in range(3)}
                scores.setdefault(COLUMNS[name], {})[int(k)] = items
        found[arm] = scores
    return found


def test_table_1_averages_come_out_of_its_columns(freezing: Resolved) -> None:
    scores = of_the_paper(freezing)
    facts = {
        arm: ArmFacts(arm, {}, "", scores={0: scores[arm]}) for arm in freezing.comparison.arms
    }
    report = comparison(Collected(freezing, facts, {}, {}, (), {}), has_examples=False)
    table = freezing.comparison.paper
    for arm, cells in table.rows.items():
        stated = dict(zip(table.columns, cells, strict=True))
        for endpoint in ("average", "zero_shot", "in_context"):
            found = report.arms[arm].seeds["0"].endpoints[endpoint]
            for k in ("0", "4"):
                # One digit is printed, so half of it is lost to rounding.
                assert found[k] == pytest.approx(stated[f"average {k}"], abs=0.05 + 1e-9)


def test_effects_are_differences_of_the_papers_averages(freezing: Resolved) -> None:
    settings = freezing.comparison
    scores = {arm: {0: found} for arm, found in of_the_paper(freezing).items()}
    verdicts = judge(settings.claims, settings.endpoints, scores, {})
    stated = {
        "train_llm_in_sft": 66.8 - 13.4,
        "frozen_pretrain_zero_shot_equal": 66.8 - 66.8,
        "in_context_needs_trained_llm": 2.0 + 9.2,
        "linear_at_least_transformer": 70.9 - 68.8,
        "frozen_loses_with_shots": 9.2,
    }
    for name, effect in stated.items():
        assert verdicts[name].effect == pytest.approx(effect, abs=0.2), name


@pytest.mark.parametrize("name", comparison_names(scale="paper"))
def test_what_has_a_unit_of_its_own_enters_in_it(name: str) -> None:
    """At paper scale no endpoint takes a task otherwise than tables print it."""
    for endpoint in load_comparison(name).at_scale("paper").endpoints.values():
        for task in endpoint.tasks:
            settings = validate(BenchmarkTask, compose_task(task)[1])
            expected = printed_scale(task, settings) if settings.metric == "caption" else 100.0
            assert endpoint.scale_of(task) == expected, (name, task)


def test_averages_are_the_papers_where_it_prints_them_with_their_columns() -> None:
    """Table 1 alone does; elsewhere docs/comparisons.md says what our average is."""
    found = []
    for name in comparison_names():
        columns = load_comparison(name).paper.columns
        names = {column.rpartition(" ")[0] for column in columns}
        if "average" in names and names & set(COLUMNS):
            found.append(name)
    assert found == ["freezing"]


def test_a_factor_of_another_task_is_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"task_scales\.coco: expected one of its tasks, a, b"
    ):
        Endpoint(title="", tasks=("a", "b"), task_scales={"coco": 1000})
