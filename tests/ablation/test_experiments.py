"""Every comparison of ``experiments/`` is controlled at every scale at which it runs."""

from pathlib import Path

import pytest
import yaml

from vilax.ablation.comparison import resolve
from vilax.ablation.control import require
from vilax.config.comparisons import comparison_names, load_comparison
from vilax.config.errors import ConfigError
from vilax.config.locate import experiments_dir
from vilax.config.schema.comparison import SCALES

PLACES = [
    (name, scale)
    for name in comparison_names()
    for scale in SCALES
    if scale in load_comparison(name).scales
]


@pytest.mark.parametrize(("name", "scale"), PLACES)
def test_arms_differ_in_what_is_declared_alone(name: str, scale: str) -> None:
    resolved = resolve(name, scale=scale)
    require(resolved)
    assert set(resolved.comparison.paper.rows) <= set(resolved.comparison.arms)
    columns = len(resolved.comparison.paper.columns)
    assert all(len(row) == columns for row in resolved.comparison.paper.rows.values())


@pytest.mark.parametrize("file", sorted(experiments_dir().glob("*/arms/*.yaml")), ids=str)
def test_arms_are_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 12
    assert yaml.safe_load(file.read_text())["title"]


@pytest.mark.parametrize("scale", SCALES)
def test_figure_five_is_asked_of_training_too(scale: str) -> None:
    found = resolve("corpus", scale=scale).comparison
    measures = {
        claim.endpoint: found.endpoints[claim.endpoint].measure
        for claim in found.claims.values()
        if claim.paper.startswith("Figure 5")
    }
    assert measures == {"own_loss": "held_out", "own_training_loss": "training_loss.pretrain"}


def test_another_scale_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="galleries does not run at scale paper"):
        resolve("galleries", scale="paper")


def test_an_arm_of_another_scale_stays_open() -> None:
    resolved = resolve("corpus", scale="mini")
    assert "base" not in resolved.arms
    assert "base" in resolved.comparison.arms


def test_a_repetition_differs_in_the_seed_alone() -> None:
    runs = {run.arm: run for run in resolve("null", seeds=(3,)).runs}
    assert (runs["once"].run.seed, runs["again"].run.seed) == (3, 53)
    assert runs["again"].seed == 3


def test_a_scale_may_ask_a_claim_at_other_shots() -> None:
    claims = {scale: resolve("joint_sft", scale=scale).comparison.claims for scale in SCALES}
    assert [claims[scale]["text_restores_text"].k for scale in SCALES] == [4, 4, 5]  # type: ignore[union-attr]
