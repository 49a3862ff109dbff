"""CIDEr-D: facts of pycocoevalcap (protocols 10)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics.cider import cider

REFERENCES = {
    "1": ["a cat on a mat", "the small cat sits there"],
    "2": ["two dogs run along", "dogs at the beach"],
    "3": ["one red bus", "a bus in the street"],
}


def test_values_of_the_reference() -> None:
    """As printed by pycocoevalcap 1.2."""
    found = cider({"1": "a small cat on a mat", "2": "dogs run on the beach", "3": ""}, REFERENCES)
    assert found.per_image == pytest.approx(
        {"1": 3.984594811464129, "2": 2.0398468087870096, "3": 0.0}, abs=1e-9
    )
    assert found.corpus == pytest.approx(2.0081472067503796, abs=1e-9)


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


def test_empty_captions_references_and_sets() -> None:
    assert cider({}, REFERENCES).corpus == 0.0
    assert cider({"1": "", "2": "dogs"}, REFERENCES).per_image["1"] == 0.0
    assert cider({"1": "a", "2": "b"}, {"1": [], "2": [""]}).per_image == {"1": 0.0, "2": 0.0}


def test_a_caption_without_references_is_named() -> None:
    with pytest.raises(ConfigError, match="'9'"):
        cider({"1": "a cat", "9": "a dog"}, REFERENCES)


@given(st.dictionaries(st.sampled_from("abc"), st.text(alphabet="xyz ", max_size=12), min_size=1))
def test_cider_stays_in_its_range(hypotheses: dict[str, str]) -> None:
    references = {image: ["x y z x", "y y"] for image in hypotheses}
    for value in cider(hypotheses, references).per_image.values():
        assert -1e-9 <= value <= 10 + 1e-9
