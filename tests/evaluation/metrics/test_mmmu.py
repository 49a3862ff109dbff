"""MMMU: guesses, weights of subjects, candidates, missing fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.metrics import mmmu, mmmu_open_candidates


def item(number: int, response: str, subject: str = "Math") -> dict:
    return {
        "id": f"validation_{subject}_{number}", "question_type": "multiple-choice", "answer": "A",
        "options": {"A": "one", "B": "two"}, "response": response,
    }  # fmt: skip


RESPONSES = st.lists(st.sampled_from(["A", "(B)", "A. one", ""]), min_size=1, max_size=12)


@given(RESPONSES, st.randoms())
def test_a_guess_hangs_on_the_item_alone(responses, shuffler) -> None:
    items = [item(number, one) for number, one in enumerate(responses)]
    first = dict(zip((one["id"] for one in items), mmmu(items).per_item, strict=True))
    shuffler.shuffle(items)
    again = mmmu(items)
    assert dict(zip((one["id"] for one in items), again.per_item, strict=True)) == first
    assert again.guessed == sum(one in ("A. one", "") for one in responses)
    assert again.strict == pytest.approx(100 * responses.count("A") / len(responses))
    assert again.strict <= again.overall


def test_domains_weigh_items_not_subjects() -> None:
    items = [item(1, "A"), item(2, "A"), item(3, "(B)", "Physics"), item(4, "(B)", "Art")]
    found = mmmu(items)
    assert found.subjects == {"Art": 0.0, "Math": 100.0, "Physics": 0.0}
    assert found.domains["Science"] == pytest.approx(200 / 3)
    assert found.overall == 50.0


@pytest.mark.parametrize(
    ("response", "candidates"),
    [
        # The reference's pattern for plain numbers finds the zeros behind the comma too.
        ("The final answer is 1,000.", [1000.0, 0.0]),
        ("so it is x = 7.004", [7.0]),
        ("x = 5\nno key word", ["x = 5\nno key word", 5.0]),
        ("the result is b", [" b", "b "]),
        ("50%", ["50%", 50.0]),
        ("", [""]),
    ],
)
def test_candidates(response: str, candidates: list) -> None:
    assert mmmu_open_candidates(response) == candidates


@pytest.mark.parametrize("name", list(item(1, "A. one")))
def test_a_missing_field_is_named_with_its_item(name: str) -> None:
    broken = item(1, "A. one")
    del broken[name]
    with pytest.raises(KeyError, match=name) as caught:
        mmmu([item(1, "A"), broken])
    assert caught.value.__notes__ == ["item 1 of mmmu, counted from 0"]
