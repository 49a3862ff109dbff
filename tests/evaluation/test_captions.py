"""Tokens of captions, and more facts of CIDEr-D (protocols 10)."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.metrics.cider import cider
from vilax.evaluation.metrics.ptb import DROPPED, ptb_tokenise
from vilax.evaluation.metrics.vqa import vqa_soft_accuracy


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A Cat.", "a cat"),
        ("it isn't, is it?", "it is n't is it"),
        ("gonna", "gon na"),
        ("cannot", "can not"),
        ("$5.00", "$ 5.00"),
        ("50%", "50 %"),
        ("a red-haired man & co at 4 p.m.", "a red-haired man & co at 4 p.m."),
        ("he (she) [it]", "he -lrb- she -rrb- -lsb- it -rsb-"),
        ('"so" -- \u201cshe\u201d said... `ok` ; no - yes: 1,000', "so she said ok no yes 1,000"),
        ("the dog\u2019s bowl, dogs' bowls", "the dog 's bowl dogs bowls"),
        ("can't won't they're", "ca n't wo n't they 're"),
        ("two\nlines", "two lines"),
        ("the end.The start", "the end the start"),
        ("and/or", "and\\/or"),
        ("half\u2014way", "half way"),
        ("", ""),
        (" . ! ", ""),
    ],
)
def test_tokens(text: str, tokens: str) -> None:
    assert ptb_tokenise(text) == tokens


@given(st.text(max_size=40))
def test_tokens_hold_no_punctuation_and_no_space(text: str) -> None:
    tokens = ptb_tokenise(text)
    assert not DROPPED & set(tokens.split(" "))
    assert tokens == " ".join(tokens.split())


REFERENCES = {
    "1": ["a cat on a mat", "the small cat sits there"],
    "2": ["two dogs run along", "dogs at the beach"],
    "3": ["one red bus", "a bus in the street"],
}


def test_a_copy_of_one_of_several_references_is_far_below_ten() -> None:
    found = cider({i: texts[0] for i, texts in REFERENCES.items()}, REFERENCES)
    assert all(4 < value < 7 for value in found.per_image.values())
    assert found.corpus == pytest.approx(sum(found.per_image.values()) / 3)


def test_a_subset_has_other_scores_also_per_image() -> None:
    hypotheses = {"1": "a cat sits", "2": "dogs run", "3": "a red bus"}
    whole = cider(hypotheses, REFERENCES)
    subset = cider({i: hypotheses[i] for i in "12"}, REFERENCES)
    assert subset.per_image["1"] != pytest.approx(whole.per_image["1"])


def test_every_part_of_the_formula_by_hand() -> None:
    """Three images. In ln 3 = L, ln 3/2 = M: "x" is in two images (M), "y" and "z" in one (L).

    Hypothesis "x x y" against "x y z". Order 1: h = (2M, L), r = (M, L, L). Clipped product:
    min(2M, M) M + L L = M^2 + L^2. Order 2, all in one image: h has xx, xy; r has xy, yz; "xx" is
    in none, so it weighs L as well: L^2 over norms sqrt(2) L each = 1/2. Order 3: none shared.
    Both have two bigrams: no penalty.
    """
    references = {"1": ["x y z"], "2": ["x"], "3": ["w"]}
    found = cider({"1": "x x y", "2": "w", "3": "w"}, references).per_image["1"]
    rare, common = math.log(3), math.log(3 / 2)
    first = (common**2 + rare**2) / (
        math.hypot(2 * common, rare) * math.sqrt(common**2 + 2 * rare**2)
    )
    assert found == pytest.approx(10 * (first + 1 / 2) / 4)


def test_the_penalty_counts_bigrams() -> None:
    references = {"1": ["x y"], "2": ["w"]}
    twice = cider({"1": "x y q q q", "2": "w"}, references).per_image["1"]
    rare = math.log(2)
    first = 2 * rare**2 / (math.sqrt(2) * rare * math.sqrt(1 + 1 + 9) * rare)
    second = 1 / math.sqrt(1 + 1 + 4)
    # Four bigrams (qq twice) against one.
    assert twice == pytest.approx(10 * (first + second) / 4 * math.exp(-(3**2) / 72))


def test_others_are_left_out_by_position_not_by_value() -> None:
    assert vqa_soft_accuracy("cat", ["cat"] * 10, "evalai") == 1.0
    # Five people who count twice each: one who agrees gives 0.6, two give 1.0.
    assert vqa_soft_accuracy("cat", ["cat"] * 2 + ["x"] * 8) == pytest.approx(0.6)
    assert vqa_soft_accuracy("cat", ["cat"] * 4 + ["x"] * 6) == 1.0
    assert vqa_soft_accuracy("cat", []) == 0.0


def test_only_the_first_32_full_stops_go() -> None:
    from vilax.evaluation.metrics.vqa import vqa_normalise

    assert vqa_normalise("a." * 40) == "a" * 32 + "a." * 8


def test_every_metric_imports_alone_without_torch() -> None:
    code = (
        "import sys; from vilax.evaluation.metrics import accuracy, cider, ptb, vqa;"
        "sys.exit(bool({'torch', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
