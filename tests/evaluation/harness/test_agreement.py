"""The same predictions by the harnesses' rules and by ours: equal, or different as is known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lm_eval.tasks.drop import utils as lm_drop
from lmms_eval.tasks._task_utils.vqa_eval_metric import EvalAIAnswerProcessor
from lmms_eval.tasks.mme import utils as lmms_mme
from lmms_eval.tasks.pope import utils as lmms_pope
from lmms_eval.tasks.seedbench import utils as lmms_seed

from vilax.evaluation.metrics import drop, mme_answer, option_letter, pope, vqa_normalise

FIGURES = {
    "accuracy": lmms_pope.pope_aggregate_accuracy,
    "precision": lmms_pope.pope_aggregate_precision,
    "recall": lmms_pope.pope_aggregate_recall,
    "f1": lmms_pope.pope_aggregate_f1_score,
    "yes_ratio": lmms_pope.pope_aggregate_yes_ratio,
}
YES_NO = st.sampled_from(["yes", "no"])


def lmms_pope_figures(responses: list[str], labels: list[str]) -> dict[str, float]:
    rows = [
        lmms_pope.pope_process_results({"answer": label, "question_id": n}, [response])
        for n, (response, label) in enumerate(zip(responses, labels, strict=True))
    ]
    return {name: total([row["pope_accuracy"] for row in rows]) for name, total in FIGURES.items()}


@given(
    st.lists(
        st.tuples(st.sampled_from(["yes", "no", "Yes", "No", " no", "no "]), YES_NO), min_size=1
    )
)
def test_pope_agrees_on_bare_answers_but_for_the_yes_ratio(pairs) -> None:
    responses, labels = [one for one, _ in pairs], [one for _, one in pairs]
    theirs, ours = lmms_pope_figures(responses, labels), pope(responses, labels)
    for name in ("accuracy", "precision", "recall", "f1"):
        assert theirs[name] == pytest.approx(getattr(ours, name))
    # Theirs is the share of yes among labels, ours among answers.
    assert theirs["yes_ratio"] == labels.count("yes") / len(labels)
    said = [response.strip().lower() for response in responses]
    assert ours.yes_ratio == said.count("yes") / len(said)


@pytest.mark.parametrize(
    ("response", "label", "right"),
    [
        # The official rule finds the answer in a sentence, lmms-eval compares the whole output.
        ("Yes.", "yes", (True, False)),
        ("Yes, there is a dog.", "yes", (True, False)),
        ("No, there is not.", "no", (True, False)),
        # The official rule takes for yes what has none of its three words, whatever its case.
        ("NO", "no", (False, True)),
        ("", "yes", (True, False)),
        ("maybe", "yes", (True, False)),
        ("maybe", "no", (False, False)),
    ],
)
def test_pope_differs_where_the_output_is_no_bare_word(response, label, right) -> None:
    found = pope([response], [label]).accuracy, lmms_pope_figures([response], [label])["accuracy"]
    assert found == right


@given(st.text("ABCDabcd. )(xyz\n", max_size=6), st.sampled_from("ABCD"))
def test_seed_bench_agrees_on_everything(response, answer) -> None:
    doc = {"answer": answer, "data_type": "image", "question_id": 0}
    row = lmms_seed.seed_process_result(doc, [response])["seed_all"]
    ours = option_letter(response, dict.fromkeys("ABCD", "x"), "lmms_seedbench")
    assert (ours == answer) == bool(lmms_seed.seed_aggregation_result([row]))


WORDS = st.sampled_from(
    ["a", "The", "two", "dont", "its", "it's", "Isn't", "3,000", "3.5", "no.", "t-shirt", "x/y",
     "!", " ", "  ", "\n", "\t", ",", "red", "none", "somebody'd", "10", "1.", "(b)", "%"]
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=6).map("".join) | st.lists(WORDS, max_size=6).map(" ".join))
def test_the_vqa_normalisation_of_evalai_agrees(text) -> None:
    assert vqa_normalise(text, "evalai") == EvalAIAnswerProcessor()(text)


@pytest.mark.parametrize(
    ("response", "ours", "theirs"),
    [
        ("yes", "yes", "yes"),
        ("No, it is not", "no", "no"),
        ("The answer is yes", "other", "other"),
        # lmms-eval strips the output, deletes all full stops and takes a lone letter.
        ("y", "other", "yes"),
        ("1. No", "other", "no"),
        ("    yes", "other", "yes"),
    ],
)
def test_mme_differs_in_white_space_full_stops_and_lone_letters(response, ours, theirs) -> None:
    assert (mme_answer(response), lmms_mme.parse_pred_ans(response)) == (ours, theirs)


SPANS = st.lists(
    st.sampled_from(["5", "-5", "five", "1,000", "5%", "the", "Denver", "Broncos", "x-y", "20.0"]),
    min_size=1, max_size=4,
).map(" ".join)  # fmt: skip


@given(SPANS, st.lists(SPANS, min_size=1, max_size=3), st.lists(SPANS, min_size=1, max_size=3))
def test_drop_agrees_on_predictions_of_one_span(prediction, spans, other) -> None:
    answer, validated = ({"number": "", "spans": each, "date": {}} for each in (spans, other))
    theirs = lm_drop.process_results({"answers": [tuple(spans), tuple(other)]}, [prediction])
    ours = drop(prediction, answer, [validated])
    assert (ours.exact_match, ours.f1) == pytest.approx((theirs["em"], theirs["f1"]))
