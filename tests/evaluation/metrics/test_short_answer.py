"""GQA, BBH and MMLU."""

import pytest

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics import bbh_correct, gqa, mmlu
from vilax.evaluation.metrics.short_answer import GROUP_OF


def test_gqa_clean_up() -> None:
    def item(prediction: str, kind: str = "query") -> dict:
        return {"prediction": prediction, "answer": "dog", "structural": kind, "semantic": "obj"}

    items = [item("Dog."), item(" dog"), item("the dog"), item("dog!", "verify")]
    found = gqa(items)
    assert found.per_item == [True, False, False, False]
    assert (found.accuracy, found.open, found.binary) == (25.0, pytest.approx(100 / 3), 0.0)
    assert gqa(items, "lmms").per_item == [True, True, False, True]
    spaced = [item(" dog\n"), item("dog !"), item("the dog")]
    assert gqa(spaced, "lmms").per_item == [True, False, False]
    with pytest.raises(ConfigError, match="style of gqa"):
        gqa(items, "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("response", "style", "right"),
    [
        ("So the answer is (A).", "cot", 1.0),
        ("So the answer is (A)", "cot", 0.0),
        ("The answer is (A).", "cot", 0.0),
        ("the answer is (B). No, the answer is (A).", "cot", 0.0),
        ("(a).", "direct", 1.0),
        ("(A) of course", "direct", 0.0),
        (" (A) of course", "starts_with", 1.0),
    ],
)
def test_bbh(response: str, style: str, right: float) -> None:
    assert bbh_correct(response, "(A)", style) == right  # type: ignore[arg-type]


def test_mmlu_means() -> None:
    rows = [{"subject": "anatomy", "correct": True}] * 3 + [
        {"subject": "college_physics", "correct": False}
    ]
    found = mmlu(rows)
    assert (found.micro, found.macro) == (75.0, 50.0)
    assert found.groups == {"STEM": 0.0, "other": 100.0}
    assert len(GROUP_OF) == 57
    assert mmlu([{"subject": "cooking", "correct": True}]).groups == {"unlisted": 100.0}
