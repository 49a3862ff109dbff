"""Circular rows, SEED-Bench, ScienceQA, Video-MME, MMMU: what counts and what is left out."""

import pytest

from vilax.evaluation.metrics import (
    mmbench_circular,
    mmmu,
    mmmu_open_correct,
    science_qa,
    seed_bench,
    video_mme,
)


def row(index: int, answer: str, response: str, category: str = "ocr") -> dict:
    return {
        "index": index, "category": category, "l2_category": "fine", "answer": answer,
        "options": {"A": "one", "B": "two", "C": float("nan"), "D": None}, "response": response,
    }  # fmt: skip


def test_a_question_counts_if_every_rotation_is_right() -> None:
    rows = [
        row(1, "A", "A"), row(1_000_001, "B", "B."),
        row(2, "A", "A"), row(1_000_002, "B", "A"),
        row(3, "A", "no idea whatsoever", "count"), row(1_000_003, "B", "B", "count"),
        row(1_000_004, "B", "B"),
    ]  # fmt: skip
    found = mmbench_circular(rows)
    assert found.overall == pytest.approx(1 / 3)
    assert found.categories == {"count": 0.0, "ocr": 0.5}
    assert found.l2_categories == {"fine": pytest.approx(1 / 3)}
    assert found.unanswered == 1
    assert mmbench_circular([]).overall == 0.0


def test_seed_takes_the_letter_or_the_first_character() -> None:
    def item(kind: int, data: str, answer: str, response: str | None) -> dict:
        return {
            "question_type_id": kind, "data_type": data, "answer": answer, "response": response,
        }  # fmt: skip

    items = [
        item(1, "image", "A", "A"), item(1, "image", "A", "Apple"), item(2, "image", "B", "b"),
        item(10, "video", "C", None),
    ]  # fmt: skip
    found = seed_bench(items)
    assert found.by_type == {1: 50.0, 2: 0.0, 10: 0.0}
    assert (found.image, found.video, found.overall) == (pytest.approx(100 / 3), 0.0, 25.0)
    assert seed_bench(items, "lmms").overall == 75.0


def test_science_qa_leaves_missing_predictions_out_of_img() -> None:
    def item(answer: int, has_image: bool, response: str | None) -> dict:
        return {
            "id": "1", "choices": ["x", "y"], "answer": answer, "has_image": has_image,
            "response": response,
        }  # fmt: skip

    items = [item(0, True, "A"), item(1, True, None), item(1, False, "C"), item(1, False, "B. y")]
    found = science_qa(items)
    assert (found.accuracy, found.image_accuracy, found.unparsed) == (50.0, 100.0, 2)
    assert science_qa([]).image_accuracy == 0.0


def test_video_mme_drops_what_is_unanswered_and_shows_it_as_wrong_too() -> None:
    def video(duration: str, *responses: str, **more: bool) -> dict:
        asked = [
            {"task_type": f"t{n}", "answer": "A", "response": text}
            for n, text in enumerate(responses)
        ]
        return {"duration": duration, "domain": "d", "sub_category": "s", "questions": asked} | more

    videos = [
        video("short", "A", "none at all", "B"),
        video("long", "nothing"),
        video("long", "A", missing=True),
    ]
    found = video_mme(videos)
    assert found.overall == 50.0 and found.unanswered == 2
    assert found.duration == {"short": 50.0, "long": 0.0}
    assert found.task_type == {"t0": 100.0, "t1": 0.0, "t2": 0.0}
    assert found.strict.overall == 25.0
    assert found.strict.duration == {"short": pytest.approx(100 / 3), "long": 0.0}


def test_mmmu_counts_its_guesses() -> None:
    def item(number: int, kind: str, answer: object, response: str) -> dict:
        return {
            "id": f"validation_Art_Theory_{number}", "question_type": kind, "answer": answer,
            "options": {"A": "$6", "B": "$7"}, "response": response,
        }  # fmt: skip

    items = [
        item(1, "multiple-choice", "A", "(A)"),
        item(2, "multiple-choice", "B", "A. $6"),
        item(3, "open", ["8.4", "eight"], "So the result is 8.40"),
    ]
    found = mmmu(items)
    assert found.guessed == 1
    assert found.strict == pytest.approx(200 / 3)
    assert mmmu(items) == found
    assert list(found.subjects) == ["Art_Theory"] and list(found.domains) == ["Art and Design"]


@pytest.mark.parametrize(
    ("response", "gold", "right"),
    [
        ("The answer is 12", "12", True),
        ("It is 50%", "50", True),
        ("1,000 dollars", "1000", True),
        ("a redwood tree", "red", True),
        ("x = 5", "7", False),
        ("The final answer is b", "b", True),
        ("bananas", "b", False),
    ],
)
def test_short_answers(response: str, gold: str, right: bool) -> None:
    assert mmmu_open_correct(response, [gold]) is right
