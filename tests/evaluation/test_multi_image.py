"""Tasks over several pictures, from their published files to results."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.benchmark_files import multi_image
from tests.evaluation.models import random_subject
from vilax.config.compose import compose_task
from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.evaluation import Evaluation
from vilax.config.validate import validate
from vilax.data.document import Image
from vilax.evaluation.benchmark import BenchmarkSource
from vilax.evaluation.evaluate import evaluate

WRITERS: dict[str, tuple[Callable[[Path], None], int]] = {
    "blink": (multi_image.blink, 6),
    "muirbench": (multi_image.muirbench, 5),
    "nlvr2": (multi_image.nlvr2, 8),
    "open_mini_imagenet": (multi_image.mini_imagenet, 12),
}
"""Writer of a task's files, and the questions that are asked of them."""

CHANGES: dict[str, dict[str, Any]] = {
    "nlvr2": {"shots": [0, 4]},
    "open_mini_imagenet": {"shots": [0, 2], "items": 12},
}

LETTER = "Answer with the option's letter from the given choices directly."


def load(name: str) -> BenchmarkTask:
    changes = CHANGES.get(name, {}) | {"max_new_tokens": 3}
    return validate(BenchmarkTask, compose_task(name)[1] | changes)


def opened(name: str, root: Path) -> BenchmarkSource:
    WRITERS[name][0](root)
    return BenchmarkSource(name, load(name), root)


def laid(source: BenchmarkSource, index: int, k: int = 0) -> str:
    """A prompt with ``<>`` where a picture stands."""
    segments = source.ask(index, k, 0).document.segments
    return "".join("<>" if isinstance(one, Image) else f"[{one.text}]" for one in segments)


@pytest.mark.parametrize("name", WRITERS)
def test_from_files_to_results(tmp_path: Path, name: str) -> None:
    WRITERS[name][0](tmp_path)
    task = load(name)
    settings = Evaluation(tasks={name: task}, benchmarks=str(tmp_path), batch=8)
    out = tmp_path / "out"
    report = evaluate(random_subject(4096), settings, [name], None, 0, out, "stage")
    results = report["tasks"][name]
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert results["items"] == WRITERS[name][1]
    assert len(rows) == results["items"] * len(task.shots)
    assert set(results["scores"]) == {str(k) for k in task.shots}
    ways = 2 if name == "open_mini_imagenet" else 1
    assert all(len(row["shots"]) == ways * row["k"] for row in rows)
    assert results["files"] and results["barred_shots"] == 0
    for row in rows:
        assert 0 <= row["score"] <= 1


@pytest.mark.parametrize("name", WRITERS)
def test_the_right_answers_are_all_right(tmp_path: Path, name: str) -> None:
    source = opened(name, tmp_path)
    for dress in ("{}", "{}."):
        answers = [dress.format(question.answers[0]) for question in source.questions]
        assert source.score(answers).share == 1
    assert source.score(["zzz"] * len(source)).share == 0


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_missing_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BenchmarkSource(name, load(name), tmp_path)
    task = load(name)
    for fact in (task.title, task.source, task.licence, str(tmp_path)):
        assert fact in str(caught.value)


def test_nlvr2_shows_pairs_and_balanced_shots(tmp_path: Path) -> None:
    source = opened("nlvr2", tmp_path)
    assert len({question.unit for question in source.questions}) == 2
    names = [picture.path.name for picture in source.questions[3].pictures]  # type: ignore[union-attr]
    assert names == ["test1-189-1-img0.png", "test1-189-1-img1.png"]
    assert laid(source, 3).startswith("<><>[The first picture is the left one,")
    assert "Statement: All bottles of set 189 are alike (1)." in laid(source, 3)
    whole = laid(source, 3, 4)
    assert whole.count("<><>[") == 5
    assert whole.count("[True]") == whole.count("[False]") == 2


def test_blink_asks_its_own_prompt_of_the_pictures_there_are(tmp_path: Path) -> None:
    source = opened("blink", tmp_path)
    assert laid(source, 3) == (
        "<><><>[Look. Which of 1 is it?\nSelect from the following choices.\n(A) the second\n"
        f"(B) the third\n{LETTER}]"
    )
    assert [len(question.pictures) for question in source.questions] == [1, 1, 1, 3, 3, 3]
    assert {question.id.split("_")[0] for question in source.questions} == {"val"}
    by_task = source.score(["(B)", "A", "B", "A", "A", "A"]).figures["by"]["sub_task"]
    assert by_task == {"Counting": 100, "Jigsaw": pytest.approx(100 / 3)}


def test_muirbench_puts_pictures_at_their_marks(tmp_path: Path) -> None:
    source = opened("muirbench", tmp_path)
    assert laid(source, 0) == (
        "<>[Which one shows it too?\nA.]<>[B.]<>[C. None of the choices provided\n" + LETTER + "]"
    )
    assert laid(source, 3).startswith("[How many dogs in]<>[and]<>[?\nA. 4\nB. 5\nC. None")
    assert laid(source, 4) == f"<><>[What comes first?\nA. the left\nB. the right\n{LETTER}]"
    units = [question.unit for question in source.questions]
    assert units[0] == units[1] != units[2] == units[3] != units[4]


def test_open_mini_imagenet_binds_words_to_folders(tmp_path: Path) -> None:
    source = opened("open_mini_imagenet", tmp_path)
    assert source.available == 1000
    assert source.describe()["chance"] == 0.5
    question = source.questions[0]
    words = question.candidates or ()
    whole = laid(source, 0, 2)
    assert whole.startswith(f"[Answer with {words[0]} or {words[1]}.")
    assert whole.count("<>") == 5
    assert whole.endswith("<>[Question: What is this? Answer: This is a]")
    for word in words:
        assert whole.count(f"<>[Question: What is this? Answer: This is a {word}.\n]") == 2
    for shot in source.ask(0, 2, 0).shots:
        assert shot.split("/")[-2] in question.facts["words"].values()
