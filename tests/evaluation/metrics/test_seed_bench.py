"""SEED-Bench: totals, wrong styles, missing fields (the letter rules: test_choices.py)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics import seed_bench


def item(kind: int, answer: str, response: str) -> dict:
    data = "image" if kind < 10 else "video"
    return {"question_type_id": kind, "data_type": data, "answer": answer, "response": response}


LETTER = st.sampled_from("ABCD")


@given(st.lists(st.tuples(st.integers(1, 12), LETTER, LETTER), min_size=1))
def test_totals_are_over_questions_not_over_types(asked) -> None:
    found = seed_bench([item(*one) for one in asked])
    sizes = {kind: sum(one[0] == kind for one in asked) for kind, _, _ in asked}
    assert found.overall == pytest.approx(
        sum(found.by_type[kind] * size for kind, size in sizes.items()) / len(asked)
    )
    images = sum(size for kind, size in sizes.items() if kind < 10)
    assert found.overall * len(asked) == pytest.approx(
        found.image * images + found.video * (len(asked) - images)
    )


def test_a_type_without_a_hit_has_accuracy_0() -> None:
    assert seed_bench([item(1, "A", "B"), item(2, "A", "A")]).by_type == {1: 0.0, 2: 100.0}


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'lmms'"):
        seed_bench([item(1, "A", "Apple")], "lmms_seedbench")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(item(1, "A", "A")))
def test_a_missing_field_is_named_with_its_item(name: str) -> None:
    broken = item(1, "A", "A")
    del broken[name]
    with pytest.raises(KeyError, match=name) as caught:
        seed_bench([item(1, "A", "A"), broken])
    assert caught.value.__notes__ == ["item 1 of seed_bench, counted from 0"]
