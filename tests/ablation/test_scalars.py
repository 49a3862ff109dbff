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
    "training_loss": {"align": 3.0, "sft": 1.5},
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alignment", 0.5),
        ("text_drift", math.log(2)),
        ("held_out.pairs", 4.0),
        ("held_out", 2.5),
        ("training_loss.sft", 1.5),
    ],
)
def test_a_measure_is_one_number(name: str, value: float) -> None:
    assert scalar(MEASURES, name) == pytest.approx(value)
    assert scalar({}, name) is None


def test_a_stage_that_was_not_trained_has_no_training_loss() -> None:
    assert scalar(MEASURES, "training_loss.pretrain") is None


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
        ("training_loss.pretrian", "unknown stage in endpoints.x.measure 'pretrian'; did you mean"),
        ("training_loss.pretrian", "did you mean 'pretrain'? choices: align, pretrain"),
        ("training_loss.STAGE", "unknown stage in endpoints.x.measure 'STAGE'"),
        ("training_loss", "expected the stage too, one of training_loss.align"),
        ("training_loss.", "unknown stage in endpoints.x.measure ''"),
        ("training_los.align", "did you mean 'training_loss.STAGE'"),
    ],
)
def test_unknown_measures_are_refused(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        check_measure("endpoints.x.measure", name, {"pages": 1}, ("align", "pretrain"))
    for known in ("held_out.pages", "training_loss.pretrain"):
        check_measure("endpoints.x.measure", known, {"pages": 1}, ("align", "pretrain"))
