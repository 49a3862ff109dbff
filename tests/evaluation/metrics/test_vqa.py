"""VQA accuracy: facts of the reference implementations (protocols 1.2, 1.3)."""

from typing import Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics.vqa import CONTRACTIONS, Style, vqa_normalise, vqa_soft_accuracy


@pytest.mark.parametrize(
    ("agree", "accuracy"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
@pytest.mark.parametrize("style", ["official", "open_flamingo", "evalai"])
def test_leave_one_out_over_ten(agree: int, accuracy: float, style: Style) -> None:
    answers = ["cat"] * agree + [f"other {i}" for i in range(10 - agree)]
    assert vqa_soft_accuracy("cat", answers, style) == pytest.approx(accuracy, abs=1e-12)


def test_official_normalises_only_where_answers_differ() -> None:
    assert vqa_soft_accuracy("Yes.", ["yes"] * 10, "official") == 0.0
    assert vqa_soft_accuracy("Yes.", ["yes"] * 10, "open_flamingo") == 1.0
    assert vqa_soft_accuracy("Yes.", ["yes"] * 9 + ["no"], "official") == 1.0
    assert vqa_soft_accuracy("the", ["a"] * 9 + ["x"], "official") == 1.0


def test_official_strips_before_it_looks_whether_answers_differ() -> None:
    answers = ["yes", " yes", "yes\n"] + ["yes"] * 7
    assert vqa_soft_accuracy("Yes", answers, "official") == 0.0
    assert vqa_soft_accuracy("\tyes ", answers, "official") == 1.0


@pytest.mark.parametrize(
    ("text", "official", "evalai"),
    [
        ("t-shirt", "t shirt", "t shirt"),
        ("t- shirt", "t shirt", "t shirt"),
        ("a -b c-d", "b cd", "b cd"),
        ("1,000", "1000", "1000"),
        ("1,000-2,000", "10002000", "1000 2000"),
        ("1,,000-2", "1 000 2", "1000 2"),
        ("3.", "3", "3"),
        ("3.5", "3.5", "3.5"),
        ("u.s.a.", "usa", "usa"),
        ("1.a", "1a", "1a"),
        ("..5", ".5", ".5"),
        ("None", "0", "0"),
        ("ten eleven", "10 eleven", "10 eleven"),
        ("dont", "don't", "don't"),
        ("its", "its", "its"),
        ("what's", "what's", "what 's"),
        ("wheres", "where's", "where's"),
        ("id've", "id've", "id've"),
        ("somebody'd", "somebodyd", "somebodyd"),
        ("y'allll", "y'all'll", "y'all'll"),
        ("red,white", "red white", "redwhite"),
        ("one-two", "1 2", "1 2"),
        ("the-cat", "cat", "cat"),
        ("\tThe\nCat ", "cat", "cat"),
        ("?yes?", "yes", "yes"),
        ("10:30 & 50% #1", "10:30 & 50% #1", "10:30 & 50% #1"),
        ("the", "", ""),
        ("", "", ""),
    ],
)
def test_normalisation(text: str, official: str, evalai: str) -> None:
    assert vqa_normalise(text, "official") == official
    assert vqa_normalise(text, "open_flamingo") == official
    assert vqa_normalise(text, "evalai") == evalai


def test_only_the_first_32_full_stops_go() -> None:
    assert vqa_normalise("a." * 40) == "a" * 32 + "a." * 8


def test_the_contraction_table_has_the_references_size_and_odd_entries() -> None:
    assert len(CONTRACTIONS) == 120
    assert CONTRACTIONS["somebody'd"] == "somebodyd"
    assert CONTRACTIONS["couldnt've"] == "couldn't've"
    assert sum("I" in key for key in CONTRACTIONS) == 4


def test_others_are_left_out_by_position_not_by_value() -> None:
    assert vqa_soft_accuracy("cat", ["cat"] * 10, "evalai") == 1.0
    # Five people who count twice each: one who agrees gives 0.6, two give 1.0.
    assert vqa_soft_accuracy("cat", ["cat"] * 2 + ["x"] * 8) == pytest.approx(0.6)
    assert vqa_soft_accuracy("cat", ["cat"] * 4 + ["x"] * 6) == 1.0


def test_any_number_of_answers() -> None:
    assert vqa_soft_accuracy("cat", []) == 0.0
    assert vqa_soft_accuracy("cat", ["cat"], "evalai") == 0.0
    assert vqa_soft_accuracy("cat", ["cat", "cat", "dog"], "evalai") == pytest.approx(4 / 9)


def test_an_unknown_style_is_named() -> None:
    style = cast(Literal["evalai"], "evalia")
    with pytest.raises(ConfigError, match="did you mean 'evalai'"):
        vqa_normalise("a", style)
    with pytest.raises(ConfigError, match="did you mean 'evalai'"):
        vqa_soft_accuracy("a", ["a"], style)


@given(st.integers(1, 12), st.data())
def test_the_closed_form(people: int, data: st.DataObject) -> None:
    agree = data.draw(st.integers(0, people))
    answers = ["cat"] * agree + ["dog"] * (people - agree)
    expected = (people - agree) * min(1, agree / 3) + agree * min(1, (agree - 1) / 3)
    found = vqa_soft_accuracy("cat", data.draw(st.permutations(answers)), "evalai")
    assert found == pytest.approx(expected / people, abs=1e-12)
