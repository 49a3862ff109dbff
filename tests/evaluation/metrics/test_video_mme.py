"""Video-MME: how the two figures relate, missing fields (groups: test_choices.py)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.metrics import video_mme


def video(*responses: str) -> dict:
    return {
        "duration": "short", "domain": "Knowledge", "sub_category": "Law",
        "questions": [{"task_type": "OCR", "answer": "B", "response": one} for one in responses],
    }  # fmt: skip


@given(st.lists(st.sampled_from(["A", "B", "b", "", "none", "Best answer: D"])))
def test_the_second_figure_spreads_the_hits_over_all_questions(responses) -> None:
    found = video_mme([video(*responses)])
    assert found.unanswered == sum(one in ("b", "", "none") for one in responses)
    answered = len(responses) - found.unanswered
    assert found.strict.overall * len(responses) == pytest.approx(found.overall * answered)
    groups = [("duration", "short"), ("domain", "Knowledge"), ("sub_category", "Law")]
    for name, value in groups if responses else []:
        assert getattr(found, name) == {value: found.overall}
        assert getattr(found.strict, name) == {value: found.strict.overall}


def test_no_response_at_all_is_unanswered() -> None:
    broken = video("B")
    broken["questions"][0]["response"] = None
    assert video_mme([broken]).unanswered == 1


@pytest.mark.parametrize("name", ["duration", "domain", "sub_category", "questions"])
def test_a_missing_field_is_named_with_its_video(name: str) -> None:
    broken = video("B")
    del broken[name]
    with pytest.raises(KeyError, match=name) as caught:
        video_mme([video("B"), broken])
    assert caught.value.__notes__ == ["video 1 of video_mme, counted from 0"]


@pytest.mark.parametrize("name", ["task_type", "answer", "response"])
def test_a_missing_field_of_a_question_is_named(name: str) -> None:
    broken = video("B")
    del broken["questions"][0][name]
    with pytest.raises(KeyError, match=name):
        video_mme([broken])
