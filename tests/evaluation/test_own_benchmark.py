"""A benchmark of one's own is one YAML file, without Python."""

import json
from pathlib import Path

import pytest
import yaml

from tests.evaluation.benchmark_files.pictures import dump, picture
from tests.evaluation.models import random_subject
from vilax.config.compose import compose_run, compose_task
from vilax.config.errors import ConfigError
from vilax.evaluation.evaluate import evaluate

DOCS = Path(__file__).parents[2] / "docs" / "evaluation.md"


def example() -> str:
    """The YAML that the documentation shows."""
    return DOCS.read_text().split("```yaml\n")[1].split("```")[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [
        {"question_id": n, "question": "What colour?", "file_name": f"{n}.jpg", "answer": "red"}
        for n in range(5)
    ]
    dump(tmp_path / "buses/questions.json", rows)
    for row in rows:
        picture(tmp_path / "buses/images" / str(row["file_name"]), int(row["question_id"]))
    (tmp_path / "bus.yaml").write_text(example())
    return tmp_path


def test_the_documented_example_runs(root: Path) -> None:
    name, task = compose_task(str(root / "bus.yaml"))
    words = [f"evaluation.benchmarks={root}", f"evaluation.tasks.{name}.max_new_tokens=2"]
    settings = compose_run(words, tasks={name: task}).evaluation
    report = evaluate(random_subject(2048), settings, [name], None, 0, root / "out", "stage")
    assert report["tasks"]["bus"]["items"] == 5
    rows = [json.loads(line) for line in (root / "out" / "predictions.jsonl").open()]
    assert all(row["prompt"].startswith("a chat between") for row in rows) or rows[0]["prompt"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": "accuracy"}, "did you mean evaluation.tasks.bus.metric"),
        ({"metric": "acuracy"}, "evaluation.tasks.bus.metric='acuracy': expected one of accuracy"),
        ({"shots": [2]}, "evaluation.tasks.bus.shots=.2. without few_shot"),
        ({"subtitles": "'a'"}, "subtitles without video"),
    ],
)
def test_a_mistake_is_named_before_anything_is_read(root: Path, changes, message) -> None:
    name, task = compose_task(str(root / "bus.yaml"))
    with pytest.raises(ConfigError, match=message):
        compose_run([], tasks={name: task | changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"answers": "anser"},
            "evaluation.tasks.bus.answers='anser' fails .* its fields: .*answer",
        ),
        ({"pictures": "'buses/' ~ file_name"}, "there is no .*buses/0.jpg"),
        ({"pictures": "'../' ~ file_name"}, "outside the benchmarks folder"),
        ({"id": "answer"}, "'red' occurs twice"),
        ({"prompt": "{{ image }}{{ image }}"}, "has 1 pictures, its prompt asks for picture 2"),
        ({"styles": ["strct"]}, "style of metric accuracy"),
        ({"metric": "mme"}, "facts: metric mme needs 'task'"),
    ],
)
def test_a_mistake_in_an_expression_is_named(root: Path, changes, message) -> None:
    name, task = compose_task(str(root / "bus.yaml"))
    words = [f"evaluation.benchmarks={root}"]
    settings = compose_run(words, tasks={name: task | changes}).evaluation
    with pytest.raises(ConfigError, match=message):
        evaluate(random_subject(2048), settings, [name], None, 0, root / "out", "stage")


def test_every_task_and_suite_composes_with_a_line_of_its_own() -> None:
    from vilax.config.describe import choices

    for group in ("task", "evaluation", "gallery"):
        assert all(line for line in choices(group).values()), group
    for suite in choices("evaluation"):
        run = compose_run([f"evaluation={suite}"])
        assert run.evaluation.tasks
    assert yaml.safe_load(example())["metric"] == "accuracy"
