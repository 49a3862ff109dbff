"""Predictions that were made elsewhere, in the layouts in which they are found."""

import json
from pathlib import Path

import pytest

from tests.evaluation.benchmark_files import WRITERS
from tests.evaluation.test_benchmarks import load
from vilax.cli.score import main
from vilax.config.errors import ConfigError
from vilax.evaluation.rescore import read_predictions, rescore, with_annotations


def scored(tmp_path: Path, task: str, annotations: str, predictions: object, *words: str) -> dict:
    """Score predictions against a writer's files through the library, as the command does."""
    WRITERS[task](tmp_path)
    file = tmp_path / "predictions.json"
    file.write_text(json.dumps(predictions))
    moved, root = with_annotations(load(task), [str(tmp_path / annotations)])
    id_of = words[0] if words else None
    answer_of = words[1] if len(words) > 1 else None
    return rescore(task, moved, root, read_predictions(file, id_of, answer_of))[1]


def test_a_list_of_answers_by_position(tmp_path: Path) -> None:
    lines = [{"question": "?", "answer": "Yes" if n % 2 == 0 else "No"} for n in range(12)]
    facts = scored(tmp_path, "pope_random", "pope/coco_pope_random.json", lines, "row + 1")
    assert facts["figures"]["f1"] == 100.0
    assert facts["without_prediction"] == facts["without_question"] == 0


def test_video_mmes_own_layout(tmp_path: Path) -> None:
    videos = [
        {
            "video_id": f"{video:03d}", "duration": "short", "missing": False,
            "questions": [
                {"question_id": f"{video:03d}-{n}", "response": f"The best answer is: {letter}"}
                for n, letter in enumerate(("A", "B", "D"), 1)
            ],
        }
        for video in (1, 2)
    ]  # fmt: skip
    file = "video_mme/test-00000-of-00001.parquet"
    facts = scored(tmp_path, "video_mme", file, videos, "question_id")
    assert facts["figures"]["accuracy of answered"] == pytest.approx(200 / 3)


def test_a_folder_stands_for_the_tasks_own(tmp_path: Path) -> None:
    said = [
        {"questionId": f"2012{n}7", "prediction": ("Dog.", "yes", "right")[n % 3]} for n in range(6)
    ]
    facts = scored(tmp_path, "gqa", "gqa", said)
    assert facts["figures"]["accuracy"] == pytest.approx(200 / 3)


def test_missing_predictions_count_as_empty_answers(tmp_path: Path) -> None:
    facts = scored(tmp_path, "vizwiz", "vizwiz/val.json", {"VizWiz_val_00000001.jpg": "soup"})
    assert facts["without_prediction"] == 4 and len(facts["missing"]) == 4
    assert facts["figures"]["vqa_accuracy"] == 20.0


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([{"name": "x"}], "a record has none of id, question_id"),
        ([{"id": "1", "answer": "a"}, {"id": "1", "answer": "b"}], "'1' is answered twice"),
        ({"nobody": "x"}, "no prediction has the id of a question"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, predictions: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        scored(tmp_path, "vizwiz", "vizwiz/val.json", predictions)


def test_the_command_says_what_is_left_out(tmp_path: Path, capsys) -> None:
    WRITERS["coco_caption"](tmp_path)
    file = tmp_path / "captions.json"
    file.write_text(json.dumps([{"image_id": 391895, "caption": "A man rides bike number 0."}]))
    words = ["coco_caption", "--predictions", str(file), "--annotations"]
    words += [str(tmp_path / "captions/dataset_coco.json"), "--to", str(tmp_path / "out.json")]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "2 without prediction" in shown.err
    assert json.loads(shown.out) == json.loads((tmp_path / "out.json").read_text())
    assert main([*words[:3], "--benchmarks", str(tmp_path)]) == 0
    WRITERS["mm_vet"](tmp_path)
    file.write_text(json.dumps({"v1_0": "red"}))
    assert main(["mm_vet", "--predictions", str(file), "--benchmarks", str(tmp_path)]) == 1
