"""DROP's spans, numbers and bags (checked against the reference)."""

import pytest

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
