"""VQA, ScienceQA and DROP of several spans by the harnesses' task code and by ours.

Where they differ, the difference is the one that the reference of each benchmark has against the
harness, and each test says it.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.tasks.drop import utils as drop_task
from lmms_eval.tasks.scienceqa import utils as science_task
from lmms_eval.tasks.textvqa import utils as textvqa_task
from lmms_eval.tasks.vizwiz_vqa import utils as vizwiz_task
from lmms_eval.tasks.vqav2 import utils as vqav2_task

from vilax.evaluation.metrics import drop, option_letter, vqa_soft_accuracy

WORDS = [
    "cat",
    "a cat",
    "the cat.",
    "Cats",
    "two",
    "2",
    "dont",
    "t-shirt",
    "1,000",
    "3.5",
    "no",
    "",
]
ANSWERS = st.lists(st.sampled_from(WORDS), min_size=10, max_size=10)


def harness_vqav2(prediction: str, answers: list[str]) -> float:
    rows = [{"answer": text, "answer_id": n} for n, text in enumerate(answers)]
    found = vqav2_task.vqav2_process_results({"question_id": 1, "answers": rows}, [prediction])
    return float(found["exact_match"])


@given(st.sampled_from(WORDS), ANSWERS)
def test_vqav2_is_our_rule_that_always_normalises(prediction: str, answers: list[str]) -> None:
    ours = vqa_soft_accuracy(prediction, answers, "open_flamingo")
    assert harness_vqav2(prediction, answers) == pytest.approx(ours, abs=1e-9)


@given(st.sampled_from(WORDS), ANSWERS.filter(lambda answers: len(set(answers)) > 1))
def test_vqav2_is_the_official_rule_where_the_answers_differ(
    prediction: str, answers: list[str]
) -> None:
    ours = vqa_soft_accuracy(prediction, answers, "official")
    assert harness_vqav2(prediction, answers) == pytest.approx(ours, abs=1e-9)


def test_vqav2_differs_from_the_official_rule_where_all_answers_agree() -> None:
    """The official evaluator then normalises nothing, so a full stop or a capital costs all."""
    assert harness_vqav2("Yes.", ["yes"] * 10) == 1
    assert vqa_soft_accuracy("Yes.", ["yes"] * 10, "official") == 0


@given(st.sampled_from(WORDS), ANSWERS)
def test_textvqa_and_vizwiz_are_our_evalai_rule(prediction: str, answers: list[str]) -> None:
    ours = vqa_soft_accuracy(prediction, answers, "evalai")
    for process in (textvqa_task.textvqa_process_results, vizwiz_task.vizwiz_vqa_process_results):
        found = process({"question_id": 1, "answers": list(answers)}, [prediction])
        assert found["exact_match"] == pytest.approx(ours, abs=1e-9)


OPTIONS = {"A": "a cat", "B": "a dog"}


@pytest.mark.parametrize(
    ("response", "harness", "llava"),
    [
        ("A", True, True),
        ("A. a cat", True, True),
        ("B", False, False),
        # Only the harness takes small letters and a letter with nothing but its full stop.
        ("a", True, False),
        ("A.", True, False),
        # Only LLaVA's rule looks for the sentence.
        ("The answer is A.", False, True),
    ],
)
def test_science_qa_is_stricter_there_and_has_no_sentence(
    response: str, harness: bool, llava: bool
) -> None:
    doc = {"choices": list(OPTIONS.values()), "answer": 0}
    assert science_task.sqa_process_results(doc, [response])["exact_match"] == float(harness)
    assert (option_letter(response, OPTIONS, "llava_scienceqa") == "A") is llava


def test_drop_differs_on_several_spans_which_the_harness_never_splits() -> None:
    doc = {"answers": [("Ann", "Bob")]}
    assert drop_task.process_results(doc, ["Ann, Bob"])["em"] == 0
    assert drop(["Ann", "Bob"], {"number": "", "spans": ["Ann", "Bob"]}).exact_match == 1
