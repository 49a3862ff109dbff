"""Training loss as one number, against sums by hand and over the tokens themselves."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ablation.fakes import entry
from vilax.ablation.training_loss import training_loss, training_losses


def written(folder: Path, rows: list[tuple[Any, Any, Any]]) -> Path:
    """A stage's result with rows of share, loss and supervised tokens so far."""
    names = ("share", "loss", "supervised")
    lines = [
        json.dumps(dict(zip(names, row, strict=True)) | {"step": i}) for i, row in enumerate(rows)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_rows_weigh_by_the_tokens_since_the_row_before(tmp_path: Path) -> None:
    rows = [(0.25, 9.0, 100), (0.5, 8.0, 200), (0.75, 4.0, 500), (1.0, 2.0, 600)]
    # 300 tokens at 4 and 100 at 2; counts since the stage began would give 2.909.
    assert training_loss(written(tmp_path, rows)) == pytest.approx(3.5)


def test_of_a_row_on_both_sides_of_the_half_what_lies_behind_counts(tmp_path: Path) -> None:
    # From 0.4 to 0.8 are 400 tokens, three quarters of them behind the half.
    rows = [(0.4, 9.0, 100), (0.8, 4.0, 500), (1.0, 2.0, 600)]
    assert training_loss(written(tmp_path, rows)) == pytest.approx((300 * 4 + 100 * 2) / 400)
    assert training_loss(written(tmp_path, [(1.0, 3.0, 50)])) == 3.0


def test_a_row_without_a_loss_leaves_its_tokens_to_the_next(tmp_path: Path) -> None:
    rows = [(0.5, 8.0, 100), (0.75, math.nan, 200), (0.9, None, 250), (1.0, 2.0, 300)]
    assert training_loss(written(tmp_path, rows)) == 2.0


@pytest.mark.parametrize("rows", [[], [(0.2, 5.0, 10), (0.5, 4.0, 20)], [(0.9, math.nan, 5)]])
def test_without_rows_behind_the_half_there_is_none(
    tmp_path: Path, rows: list[tuple[Any, Any, Any]]
) -> None:
    assert training_loss(written(tmp_path, rows)) is None
    assert training_loss(tmp_path / "imported") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_of_every_step_it_is_the_mean_over_tokens(tmp_path: Path, seed: int, half: int) -> None:
    rng = np.random.default_rng(seed)
    tokens, loss = rng.integers(1, 500, 2 * half), rng.uniform(0.1, 5, 2 * half)
    share = np.arange(1, 2 * half + 1) / (2 * half)
    rows = list(zip(share.tolist(), loss.tolist(), np.cumsum(tokens).tolist(), strict=True))
    each = np.repeat(loss[half:], tokens[half:])
    assert training_loss(written(tmp_path, rows)) == pytest.approx(float(each.mean()))


def test_arms_have_it_of_their_stages_and_not_of_their_evaluations(tmp_path: Path) -> None:
    shared = entry("stage", "1", written(tmp_path / "1", [(1.0, 2.0, 10)]), {})
    own = entry("stage", "2", written(tmp_path / "2", [(1.0, 1.0, 10)]), {})
    asked = entry("evaluation", "3", written(tmp_path / "3", [(1.0, 5.0, 10)]), {})
    bare = entry("stage", "4", tmp_path / "4", {})
    results = {
        ("a", 0, "align"): shared,
        ("b", 0, "align"): shared,
        ("b", 0, "sft"): own,
        ("b", 0, "evaluation"): asked,
        ("c", 0, "align"): bare,
    }
    assert training_losses(results) == {
        ("a", 0): {"align": 2.0},
        ("b", 0): {"align": 2.0, "sft": 1.0},
    }
