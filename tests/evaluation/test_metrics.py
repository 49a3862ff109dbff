"""Scores: facts of the reference implementations (protocols 1.2, 1.3, 10)."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.metrics.cider import cider
from vilax.evaluation.metrics.vqa import CONTRACTIONS, vqa_normalise, vqa_soft_accuracy


@pytest.mark.parametrize(
    ("agree", "accuracy"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
def test_leave_one_out_over_ten(agree: int, accuracy: float) -> None:
    answers = ["cat"] * agree + [f"other {i}" for i in range(10 - agree)]
    assert vqa_soft_accuracy("cat", answers) == pytest.approx(accuracy)


def test_official_normalises_only_where_answers_differ() -> None:
    assert vqa_soft_accuracy("Yes.", ["yes"] * 10, "official") == 0.0
    assert vqa_soft_accuracy("Yes.", ["yes"] * 10, "open_flamingo") == 1.0
    assert vqa_soft_accuracy("Yes.", ["yes"] * 9 + ["no"], "official") == 1.0
    assert vqa_soft_accuracy("the", ["a"] * 9 + ["x"], "official") == 1.0


@pytest.mark.parametrize(
    ("text", "official", "evalai"),
    [
        ("t-shirt", "t shirt", "t shirt"),
        ("t- shirt", "t shirt", "t shirt"),
        ("a -b c-d", "b cd", "b cd"),
        ("1,000", "1000", "1000"),
        ("1,000-2,000", "10002000", "1000 2000"),
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
        ("red,white", "red white", "redwhite"),
        ("The Cat", "cat", "cat"),
        ("the", "", ""),
    ],
)
def test_normalisation(text: str, official: str, evalai: str) -> None:
    assert vqa_normalise(text, "official") == official
    assert vqa_normalise(text, "evalai") == evalai


def test_the_contraction_table_has_the_references_size_and_odd_entries() -> None:
    assert len(CONTRACTIONS) == 120
    assert CONTRACTIONS["somebody'd"] == "somebodyd"
    assert CONTRACTIONS["couldnt've"] == "couldn't've"
    assert sum("I" in key for key in CONTRACTIONS) == 4


def test_one_image_scores_nothing() -> None:
    assert cider({"1": "a cat"}, {"1": ["a cat"]}).corpus == 0.0


def test_a_perfect_hypothesis_scores_ten_and_a_foreign_one_nothing() -> None:
    references = {"1": ["the cat sat on a mat"], "2": ["two dogs run along the beach"]}
    found = cider({"1": "the cat sat on a mat", "2": "green ideas sleep quite well"}, references)
    assert found.per_image["1"] == pytest.approx(10.0)
    assert found.per_image["2"] == 0.0
    assert found.corpus == pytest.approx(5.0)


def test_a_hand_computed_case() -> None:
    """Two images, one reference each. Unigram weights: ln 2 for a word of one image, 0 for both.

    Hypothesis "red cat" against "red dog": h = r = ln 2 at "red" alone shared, norms sqrt(2) ln 2,
    so order 1 gives 1/2, order 2 gives 0, orders 3 and 4 do not exist: 10 * (1/2) / 4.
    """
    found = cider({"1": "red cat", "2": "x"}, {"1": ["red dog"], "2": ["blue bird"]})
    assert found.per_image["1"] == pytest.approx(10 * 0.5 / 4)


def test_length_is_penalised_by_bigrams() -> None:
    references = {"1": ["red dog"], "2": ["blue bird"]}
    short = cider({"1": "red dog", "2": "x"}, references).per_image["1"]
    long = cider({"1": "red dog red dog red dog red dog", "2": "x"}, references).per_image["1"]
    assert long < short


@given(st.dictionaries(st.sampled_from("abc"), st.text(alphabet="xyz ", max_size=12), min_size=1))
def test_cider_stays_in_its_range(hypotheses: dict[str, str]) -> None:
    references = {image: ["x y z x", "y y"] for image in hypotheses}
    for value in cider(hypotheses, references).per_image.values():
        assert -1e-9 <= value <= 10 + 1e-9


def test_metrics_import_alone_without_torch() -> None:
    code = (
        "import sys; import vilax.evaluation.metrics.vqa, vilax.evaluation.metrics.cider;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
