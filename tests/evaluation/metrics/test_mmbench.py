"""MMBench's circular rule: wide input, wrong styles, missing fields (figures: test_choices.py)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics import mmbench_circular


def row(index: int, answer: str, response: str) -> dict:
    return {
        "index": index, "category": f"c{index % 3}", "l2_category": "l", "answer": answer,
        "options": {"A": "one", "B": "two"}, "response": response,
    }  # fmt: skip


LETTER = st.sampled_from("AB")


@given(
    st.dictionaries(st.integers(0, 9), st.lists(st.tuples(LETTER, LETTER), min_size=1, max_size=4)),
    st.randoms(),
)
def test_a_question_is_right_if_all_its_rows_are_in_any_order(asked, shuffler) -> None:
    rows = [
        row(question + turn * 1_000_000, answer, response)
        for question, turns in asked.items()
        for turn, (answer, response) in enumerate(turns)
    ]
    shuffler.shuffle(rows)
    right = {
        question: all(answer == response for answer, response in turns)
        for question, turns in asked.items()
    }
    found = mmbench_circular(rows)
    assert found.questions == right
    assert found.overall == pytest.approx(sum(right.values()) / len(right) if right else 0)
    assert set(found.categories) == {f"c{question % 3}" for question in right}


def test_a_refusal_is_wrong_but_not_without_a_letter() -> None:
    found = mmbench_circular([row(1, "A", "Cannot determine the answer")])
    assert (found.overall, found.unanswered) == (0.0, 0)


def test_the_rules_differ_on_an_article() -> None:
    rows = [row(1, "A", "it may be A")]
    assert mmbench_circular(rows).overall == 1.0
    assert mmbench_circular(rows, "mmbench").overall == 0.0


def test_a_rule_of_another_benchmark_is_refused() -> None:
    with pytest.raises(ConfigError, match="style of mmbench_circular"):
        mmbench_circular([], "videomme")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(row(1, "A", "A")))
def test_a_missing_field_is_named_with_its_row(name: str) -> None:
    broken = row(2, "A", "A")
    del broken[name]
    with pytest.raises(KeyError, match=name) as caught:
        mmbench_circular([row(1, "A", "A"), broken])
    assert caught.value.__notes__ == ["row 1 of mmbench_circular, counted from 0"]
