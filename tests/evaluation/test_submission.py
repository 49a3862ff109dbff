"""Files for evaluation servers, in the formats that the servers publish."""

import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.evaluation.benchmark_files import WRITERS
from tests.evaluation.test_benchmarks import load
from vilax.evaluation.benchmark import BenchmarkSource
from vilax.evaluation.submission import write_submissions


def submitted(tmp_path: Path, name: str, answer: str) -> Path:
    WRITERS[name](tmp_path)
    source = BenchmarkSource(name, load(name), tmp_path)
    rows = {question.id: {"answer": answer} for question in source.questions}
    [path] = write_submissions([source], {(name, 0, 0): rows}, tmp_path / "out")
    assert path.parent == tmp_path / "out" / "submission"
    return path


def test_vqav2_names_every_question_of_the_test_split(tmp_path: Path) -> None:
    rows = json.loads(submitted(tmp_path, "vqav2_test", "The Red.").read_text())
    assert len(rows) == 9 and len({row["question_id"] for row in rows}) == 9
    assert all(set(row) == {"question_id", "answer"} for row in rows)
    assert all(type(row["question_id"]) is int for row in rows)
    assert [row["answer"] for row in rows] == ["red"] * 5 + [""] * 4


def test_vizwiz_names_pictures(tmp_path: Path) -> None:
    rows = json.loads(submitted(tmp_path, "vizwiz_test", "Soup!").read_text())
    assert rows[0] == {"image": "VizWiz_test_00000000.jpg", "answer": "soup"}
    assert len(rows) == 5


def test_mmbench_is_a_sheet_of_every_row(tmp_path: Path) -> None:
    book = load_workbook(submitted(tmp_path, "mmbench", "=B\x07"))
    header, *rows = book.active.values
    assert header == (
        "index", "question", "A", "B", "C", "D", "prediction", "answer", "split",
    )  # fmt: skip
    assert len(rows) == 9
    assert rows[0][0] == 241 and rows[0][6] == "=B"
    assert {row[0] for row in rows} == {
        base + number + 1_000_000 * turn
        for base in (241,)
        for number in range(3)
        for turn in range(2 + number)
    }
    assert any('=1+1 "so"' in row for row in rows)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("coco_caption", {"image_id": 391895, "caption": "a bike"}),
        ("gqa", {"questionId": "201207", "prediction": "a bike"}),
    ],
)
def test_lists_of_answers(tmp_path: Path, name: str, first: dict) -> None:
    assert json.loads(submitted(tmp_path, name, "a bike").read_text())[0] == first
