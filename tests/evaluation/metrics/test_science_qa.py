"""ScienceQA: letters beyond the choices, missing fields (denominators: test_choices.py)."""

import pytest

from vilax.evaluation.metrics import science_qa


def item(answer: int, response: str, choices: int = 2) -> dict:
    return {
        "choices": [f"choice {n}" for n in range(choices)], "answer": answer, "has_image": True,
        "response": response,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("response", "right"),
    [
        ("C", True),
        ("C. choice 2", True),
        ("BECAUSE: why. The answer is C.", True),
        ("The answer is C\n", False),
        ("The answer is C, not B", True),
        ("c", False),
        (" C", False),
        ("choice 2", False),
        ("", False),
    ],
)
def test_a_response_is_right_by_llavas_rule_alone(response: str, right: bool) -> None:
    found = science_qa([item(2, response, 3)])
    assert found.per_item == [right]
    assert found.accuracy == found.image_accuracy == 100 * right


def test_a_letter_beyond_the_choices_is_no_answer() -> None:
    assert science_qa([item(1, "C"), item(1, "B")]).unparsed == 1


@pytest.mark.parametrize("name", list(item(0, "A")))
def test_a_missing_field_is_named_with_its_item(name: str) -> None:
    broken = item(0, "A")
    del broken[name]
    with pytest.raises(KeyError, match=name) as caught:
        science_qa([item(0, "A"), broken])
    assert caught.value.__notes__ == ["item 1 of science_qa, counted from 0"]
