"""Measures as one number, and the names that endpoints may use."""

import math
import re

import pytest

from vilax.ablation.scalars import check_measure, scalar
from vilax.config.errors import ConfigError

MEASURES = {
    "alignment": {"layers": [0, 2, 1, 3], "values": [0.1, 0.4, 0.2, 0.6]},
    "text_drift": {"perplexity": 8.0, "base_perplexity": 4.0},
    "held_out": {"pages": {"loss": 2.0, "tokens": 300}, "pairs": {"loss": 4.0, "tokens": 100}},
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alignment", 0.5),
        ("text_drift", math.log(2)),
        ("held_out.pairs", 4.0),
        ("held_out", 2.5),
    ],
)
def test_a_measure_is_one_number(name: str, value: float) -> None:
    assert scalar(MEASURES, name) == pytest.approx(value)
    assert scalar({}, name) is None


@pytest.mark.parametrize(
    "measures",
    [{"held_out": {"pages": {"loss": math.nan, "tokens": 3}}}, {"held_out": {"sft": {}}}],
)
def test_a_corpus_that_was_not_measured_or_has_no_loss_is_absent(
    measures: dict[str, object],
) -> None:
    assert scalar(measures, "held_out.pages") is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alignmint", "did you mean 'alignment'"),
        ("held_out.CORPUS", "unknown corpus in endpoints.x.measure 'CORPUS'"),
        ("held_out.page", "did you mean 'pages'"),
        ("alignment.3", "expected one of alignment"),
    ],
)
def test_unknown_measures_are_refused(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        check_measure("endpoints.x.measure", name, {"pages": 1})
    check_measure("endpoints.x.measure", "held_out.pages", {"pages": 1})
