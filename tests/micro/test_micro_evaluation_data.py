"""Evaluation items: answerable, not by the sort of word alone, with shots of their own kind."""

import json
from pathlib import Path
from typing import Any

import pytest

from vilax.micro.assets import load_concepts
from vilax.micro.evaluation_data import SPLITS, parts
from vilax.micro.language import RELATIONS, SEEN_RELATIONS, invented_words


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.open()]


@pytest.fixture(params=["", "dev"])
def folder(world_folder: Path, request: pytest.FixtureRequest) -> Path:
    return world_folder / "evaluation" / str(request.param)


@pytest.mark.parametrize("split", SPLITS)
def test_items_describe_themselves(folder: Path, split: str) -> None:
    items, shots = rows(folder / f"{split}.jsonl"), rows(folder / f"{split}_shots.jsonl")
    by_id = {item["id"]: item for item in items + shots}
    assert items
    assert len(by_id) == len(items) + len(shots)
    assert all(shot["shots"] is None for shot in shots)
    for item in items + shots:
        assert (folder / item["image"]).is_file()
        assert (item["question"] is None) == (item["format"] is not None)
        assert (item["between"] is None) == (item["after"] is None) == (item["format"] is None)
        if item["candidates"] is not None:
            assert item["answers"][0] in item["candidates"]
            assert len(set(item["candidates"])) == len(item["candidates"])
    for item in items:
        assert len(item["shots"]) >= 8
        for shot in (by_id[key] for key in item["shots"]):
            assert shot["format"] == item["format"]
            if split != "open_answer":
                assert shot["relation"] == item["relation"]
            if split != "binding":
                assert shot["subject"] != item["subject"]


@pytest.mark.parametrize("split", ["relation_seen", "relation_unseen"])
def test_candidates_hold_the_other_attributes_and_others_of_the_right_sort(
    folder: Path, split: str
) -> None:
    concepts = {concept.name: concept for concept in load_concepts()}
    for item in rows(folder / f"{split}.jsonl"):
        concept = concepts[item["subject"]]
        relations = SEEN_RELATIONS if split == "relation_seen" else RELATIONS
        assert {concept.attribute(r) for r in relations} <= set(item["candidates"])
        assert item["answers"] == [concept.attribute(item["relation"])]
        same_sort = {c.attribute(item["relation"]) for c in concepts.values()}
        assert len(same_sort & set(item["candidates"])) >= 2


def test_unseen_items_say_what_is_novel(folder: Path) -> None:
    assert all(item["novel"] == [] for item in rows(folder / "relation_seen.jsonl"))
    novel = {tuple(item["novel"]) for item in rows(folder / "relation_unseen.jsonl")}
    assert novel == {("relation",), ("format",), ("relation", "format")}


def test_binding_shots_are_balanced_and_show_other_drawings(folder: Path) -> None:
    shots = {shot["id"]: shot for shot in rows(folder / "binding_shots.jsonl")}
    places = []
    for item in rows(folder / "binding.jsonl"):
        assert item["shot_order"] == "prefix"
        assert set(item["candidates"]) <= set(invented_words("evaluation"))
        own = [shots[key] for key in item["shots"]]
        for k in (2, 4, 8):
            answers = [shot["answers"][0] for shot in own[:k]]
            assert sorted(answers) == sorted(item["candidates"] * (k // 2))
        for shot in own:
            assert shot["image"] != item["image"]
            same = shot["subject"] == item["subject"]
            assert same == (shot["answers"] == item["answers"])
        places.append(own[1]["answers"] == item["answers"])
    assert 0.3 < sum(places) / len(places) < 0.7


def test_binding_words_of_dev_are_not_those_of_test(world_folder: Path) -> None:
    evaluation = world_folder / "evaluation"
    test, dev = (
        {word for item in rows(path / "binding.jsonl") for word in item["candidates"]}
        for path in (evaluation, evaluation / "dev")
    )
    assert not test & dev


def test_captions_have_five_references(folder: Path) -> None:
    for item in rows(folder / "caption.jsonl"):
        assert len(set(item["answers"])) == 5
        assert all(item["subject"] in answer.split() for answer in item["answers"])


def test_classify_offers_eight_names(folder: Path) -> None:
    names = {concept.name for concept in load_concepts()}
    for item in rows(folder / "classify.jsonl"):
        assert len(item["candidates"]) == 8
        assert set(item["candidates"]) <= names


def test_parts_do_not_move_when_the_world_grows() -> None:
    few, many = parts(load_concepts(100)), parts(load_concepts(280))
    for part, concepts in few.items():
        assert set(concepts) <= set(many[part])
    total = {part: len(concepts) / 280 for part, concepts in many.items()}
    assert 0.3 < total["test"] < 0.5
    assert 0.3 < total["pool"] < 0.5
    assert 0.12 < total["dev"] < 0.3
    assert len(parts(load_concepts(16))["pool"]) >= 8
