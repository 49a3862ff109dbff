"""DROP's spans, numbers and bags (checked against the reference)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics import drop

EMPTY = {"day": "", "month": "", "year": ""}


def number(text: str) -> dict:
    return {"number": text, "date": EMPTY, "spans": []}


def spans(*texts: str) -> dict:
    return {"number": "", "date": EMPTY, "spans": list(texts)}


@pytest.mark.parametrize(
    ("prediction", "answer", "exact", "f1"),
    [
        ("5", number("5"), 1.0, 1.0),
        ("-5", number("5"), 1.0, 1.0),
        ("five", number("5"), 0.0, 0.0),
        ("5%", number("5"), 1.0, 1.0),
        ("1,000", number("1000"), 1.0, 1.0),
        ("6 yards", number("5"), 0.0, 0.0),
        ("The Tom Brady", spans("Tom Brady"), 1.0, 1.0),
        ("Tom Brady, Randy Moss", spans("Tom Brady", "Randy Moss"), 0.0, 0.33),
        (["Randy Moss", "Tom Brady"], spans("Tom Brady", "Randy Moss"), 1.0, 1.0),
        (["Tom Brady"], spans("Tom Brady", "Randy Moss"), 0.0, 0.5),
        ("well known", spans("well-known"), 1.0, 1.0),
        ("9 May 1945", spans() | {"date": {"day": "9", "month": "May", "year": "1945"}}, 1.0, 1.0),
        ("", spans(), 0.0, 0.0),
        ([], spans("x"), 0.0, 0.0),
    ],
)
def test_scores(prediction: object, answer: dict, exact: float, f1: float) -> None:
    found = drop(prediction, answer)  # type: ignore[arg-type]
    assert (found.exact_match, found.f1) == (exact, f1)


def test_the_best_of_several_golds() -> None:
    found = drop("7", number("5"), [number("6"), number("7")])
    assert found.exact_match == 1.0
    assert drop("7", number("5"), []).f1 == 0.0


def test_halves_round_as_the_reference_adds() -> None:
    said = ["u y", "w", "u w", "w y z"]
    gold = spans("z", "u w x", "u x z", "z", "w x y", "u w", "w y", "u w y z")
    assert drop(said, gold).f1 == 0.38  # the mean is 0.375; added in another order less


@given(st.lists(st.sampled_from(["x", "y z", "9 May", "5", "5%", "-5", "the x"]), min_size=1))
def test_the_gold_itself_is_right_in_any_order(texts: list[str]) -> None:
    found = drop(texts[::-1], spans(*texts))
    assert (found.exact_match, found.f1) == (1.0, 1.0)


@pytest.mark.parametrize("answer", [{}, {"number": "", "spans": []}, {"date": {}}])
def test_an_answer_of_no_kind_is_named(answer: dict) -> None:
    with pytest.raises(ConfigError, match="no number, spans or date"):
        drop("5", answer)
