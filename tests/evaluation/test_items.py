"""Files of items: what is read, and what is said of a bad line."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.test_few_shot import item, write
from vilax.config.errors import ConfigError
from vilax.evaluation.items import read_split, split_folder

BAD: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "field 'id': expected text that is not empty"),
    ({"subject": 3}, "field 'subject': expected text: 3"),
    ({"image": "../secret.png"}, "lies outside the folder"),
    ({"image": "/secret.png"}, "lies outside the folder"),
    ({"answers": []}, "field 'answers': expected at least one"),
    ({"answers": "mammal"}, "field 'answers': expected a list of texts"),
    ({"candidates": ["bird", "tool"]}, "no answer is among them"),
    ({"candidates": ["mammal", "mammal"]}, "field 'candidates': expected different ones"),
    ({"question": "what ?"}, "expected either 'question', or 'between' and 'after'"),
    ({"after": None}, "expected either 'question', or 'between' and 'after'"),
    ({"shot_order": "random"}, "field 'shot_order'"),
    ({"shots": ["s", "s"]}, "one is named twice"),
    ({"shots": ["nobody"]}, "x_shots.jsonl has no shot 'nobody'"),
    ({"id": "first"}, "id 'first' is there already"),
    ({"id": "s"}, "id 's' is there already"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_line_names_file_line_and_field(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write(tmp_path / "x_shots.jsonl", [asdict(item("s"))])
    write(tmp_path / "x.jsonl", [asdict(item("first")), asdict(item("second")) | change])
    with pytest.raises(ConfigError) as error:
        read_split(tmp_path, "x", 0, 10)
    assert f"{tmp_path.name}/x.jsonl line 2 is not an item: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize("line", ["{", "[]", "", "null"])
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path / "x.jsonl", [asdict(item("first"))])
    with (tmp_path / "x.jsonl").open("a") as file:
        file.write(f"{line}\n" + '{"id": "third"}\n')
    with pytest.raises(ConfigError, match=r"x\.jsonl line 2 is not an item"):
        read_split(tmp_path, "x", 0, 10)


def test_odd_line_ends_inside_text_do_not_end_a_line(tmp_path: Path) -> None:
    strange = item("first", subject="cat\u2028dog\x85")
    text = json.dumps(asdict(strange), ensure_ascii=False)
    (tmp_path / "x.jsonl").write_text(text + "\n", encoding="utf-8")
    assert read_split(tmp_path, "x", 0, 10).items == [strange]


def test_shots_are_needed_only_where_they_are_named(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [asdict(item("first"))])
    assert read_split(tmp_path, "x", 0, 10).shots == {}
    write(tmp_path / "x.jsonl", [asdict(item("first", shots=("s",)))])
    with pytest.raises(ConfigError, match=r"no x_shots\.jsonl"):
        read_split(tmp_path, "x", 0, 10)


def test_seeds_from_100_up_see_development_items(tmp_path: Path) -> None:
    assert split_folder(tmp_path, 99) == tmp_path
    assert split_folder(tmp_path, 100) == tmp_path / "dev"


def test_a_smaller_number_of_items_is_part_of_a_larger_whatever_the_order(tmp_path: Path) -> None:
    rows = [asdict(item(f"i{number}")) for number in range(30)]
    write(tmp_path / "x.jsonl", rows)
    write(tmp_path / "y.jsonl", rows[::-1])
    few = [one.id for one in read_split(tmp_path, "x", 0, 7).items]
    more = [one.id for one in read_split(tmp_path, "x", 3, 15).items]
    turned = [one.id for one in read_split(tmp_path, "y", 0, 7).items]
    assert set(few) < set(more)
    assert turned == few[::-1]
