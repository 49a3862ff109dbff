"""Words bound to classes within the prompt."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.shot_questions import item, task
from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import Binding
from vilax.config.validate import validate
from vilax.evaluation.binding import bind
from vilax.evaluation.pictures import BytesPicture
from vilax.evaluation.question import Question
from vilax.evaluation.shots import ShotChooser

CLASSES = [f"n{number:02}" for number in range(6)]
PICTURES = [
    item(f"{name}/{place}", f"{name}/{place}".encode(), file=f"{name}/{place}", kind=name)
    for name in CLASSES
    for place in range(7)
]
SETTINGS: dict[str, Any] = {"label": "kind", "ways": 3, "questions": 60}


def bound(
    most: int = 5, pictures: list[Question] = PICTURES, **changes: Any
) -> tuple[list[Question], list[Question]]:
    return bind("mini", validate(Binding, SETTINGS | changes), pictures, most)


def chooser(pool: list[Question], questions: list[Question]) -> ShotChooser:
    return ShotChooser("mini", task(binding=SETTINGS, few_shot=None), pool, None, questions)


QUESTIONS, POOL = bound()


def test_each_question_asks_for_one_of_its_words() -> None:
    for question in QUESTIONS:
        assert question.candidates is not None
        meanings = question.facts["words"]
        assert tuple(meanings) == question.candidates
        assert len(set(meanings)) == len(set(meanings.values())) == 3
        (word,) = question.answers
        assert meanings[word] == question.facts["class"]
        assert question.pictures[0].read().decode().split("/")[0] == question.facts["class"]
        assert question.record["candidates"] == question.candidates


def test_nothing_but_the_shots_tells_the_answer() -> None:
    """Classes, words and their places are even: no rule that ignores shots beats chance."""
    questions, _ = bound(questions=1200, ways=2)
    words = Counter(question.answers[0] for question in questions)
    places = Counter((q.candidates or ()).index(q.answers[0]) for q in questions)
    classes = Counter(question.facts["class"] for question in questions)
    pairs = Counter((question.facts["class"], question.answers[0]) for question in questions)
    assert len(words) == 8 and all(105 < count < 195 for count in words.values())
    assert len(classes) == 6 and all(150 < count < 250 for count in classes.values())
    assert all(530 < places[place] < 670 for place in (0, 1))
    assert len(pairs) == 48


def test_questions_are_fixed_and_more_begin_with_the_fewer() -> None:
    again, _ = bound(pictures=PICTURES[::-1])
    assert [q.facts for q in again] == [q.facts for q in QUESTIONS]
    few, _ = bound(questions=10)
    assert few == QUESTIONS[:10]
    assert len({question.id for question in QUESTIONS}) == 60


@given(number=st.integers(0, 59), seed=st.integers(0, 10**6), k=st.integers(0, 5))
def test_each_round_shows_each_class_once_with_its_word(number: int, seed: int, k: int) -> None:
    question = QUESTIONS[number]
    shots = chooser(POOL, QUESTIONS).choose(question, k, seed)
    assert len(shots) == len({shot.id for shot in shots}) == 3 * k
    meanings = question.facts["words"]
    for shot in shots:
        assert meanings[shot.answers[0]] == shot.id.split("/")[0] == shot.record["kind"]
        assert shot.record["answers"] == shot.answers
        assert shot.pictures[0].key != question.pictures[0].key
    for start in range(0, 3 * k, 3):
        assert {shot.answers[0] for shot in shots[start : start + 3]} == set(meanings)


@given(number=st.integers(0, 59), seed=st.integers(0, 10**6), k=st.integers(0, 5))
def test_fewer_shots_are_the_first_rounds_of_more(number: int, seed: int, k: int) -> None:
    question = QUESTIONS[number]
    many = chooser(POOL, QUESTIONS).choose(question, 5, seed)
    assert chooser(POOL, [question]).choose(question, k, seed) == many[: 3 * k]


def test_seeds_draw_pictures_and_orders() -> None:
    choose = chooser(POOL, QUESTIONS).choose
    shots = [choose(QUESTIONS[0], 2, seed) for seed in range(60)]
    assert len({tuple(shot.id for shot in one) for one in shots}) > 50
    assert len({tuple(shot.answers[0] for shot in one[:3]) for one in shots}) == 6
    last = Counter(one[-1].answers[0] == QUESTIONS[0].answers[0] for one in shots)
    assert 8 < last[True] < 35


def test_copies_of_the_questions_picture_are_no_shots() -> None:
    copies = [item(f"copy {n}", b"same", file=f"c{n}", kind="a") for n in range(4)]
    others = [item(f"other {n}", file=f"o{n}", kind="b") for n in range(4)]
    real = item("real", b"own", file="r", kind="a")
    questions, pool = bound(1, [*copies, real, *others], ways=2, questions=20)
    choose = chooser(pool, questions).choose
    shows = [q for q in questions if q.pictures[0] == BytesPicture(b"same")]
    assert shows
    for question in shows:
        assert "real" in {shot.id for shot in choose(question, 1, 0)}
        with pytest.raises(ConfigError, match=r"has 1 possible shots of class 'a', 2 are asked"):
            choose(question, 2, 0)


@pytest.mark.parametrize(
    ("most", "changes", "message"),
    [
        (7, {}, r"binding\.ways=3: 0 of 6 classes have more than 7 pictures"),
        (1, {"ways": 7}, r"ways=7: 6 of 6 classes .* expected at most 6 ways"),
        (1, {"words": ["dax", "wug"]}, r"words=\['dax', 'wug'\]: expected at least ways=3"),
        (1, {"words": ["dax", "wug", "fep", "dax"]}, "different words"),
        (1, {"label": "nothing"}, r"binding\.label='nothing' fails"),
        (1, {"label": "("}, r"binding\.label='\(': expected a jinja2 expression"),
    ],
)
def test_what_cannot_be_bound_is_named(most: int, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bound(most, **changes)


def test_classes_with_too_few_pictures_are_left_out() -> None:
    small = [item(f"small {n}", file=f"s{n}", kind="small") for n in range(5)]
    questions, pool = bound(5, [*small, *PICTURES])
    assert "small" not in {name for q in questions for name in q.facts["words"].values()}
    assert len(pool) == len(PICTURES)
    with pytest.raises(ConfigError, match="record 'bare' shows no picture"):
        bound(5, [*PICTURES, item("bare", None, kind="n00")])
