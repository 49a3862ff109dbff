"""Claims as a user writes them in YAML: what is taken, and what is refused in which words."""

import re
from pathlib import Path

import pytest
import yaml

from tests.ablation.fakes import freezing
from vilax.ablation.claim_checks import check_claims
from vilax.ablation.contrast import contrast
from vilax.config.comparisons import load_comparison
from vilax.config.errors import ConfigError
from vilax.config.locate import experiments_dir
from vilax.config.schema.comparison import Comparison

TEXT = "text: It is so.\npaper: 1 and 2\n"


def written(folder: Path, claim: str, endpoints: str = "") -> Path:
    """The freezing comparison with one claim of its own, and endpoints besides its own."""
    source = experiments_dir() / "freezing"
    content = yaml.safe_load((source / "comparison.yaml").read_text())
    content["claims"] = {"it": yaml.safe_load(TEXT + claim)}
    content["endpoints"] |= yaml.safe_load(endpoints) or {}
    here = folder / "mine"
    here.mkdir()
    (here / "comparison.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    (here / "arms").symlink_to(source / "arms")
    return here


def checked(folder: Path) -> Comparison:
    """The comparison with its claims checked as ``vilax compare`` does."""
    comparison = load_comparison(str(folder))
    stages = ("text", "align", "pretrain", "sft")
    trained = {"a": stages, "b": stages, "c": stages[:2], "d": stages}
    check_claims(comparison, freezing().arms["a"], trained)
    return comparison


LOSS = "loss: {title: Loss, measure: held_out.pages}\nlevel: {title: Level, measure: alignment}"
TRAINING = "learnt: {title: Learnt, measure: training_loss.pretrain}\n"


@pytest.mark.parametrize(
    ("claim", "terms"),
    [
        ("{kind: gap, endpoint: average, k: 4, higher: b, lower: a, margin: 20}", "+b4 -a4"),
        ("{kind: equal, endpoint: average, first: b, second: c, margin: 5}", "+b0 -c0"),
        ("{kind: gain, endpoint: average, arm: b}", "+b4 -b0"),
        ("{kind: gain, endpoint: average, arm: b, direction: down, k_high: 8}", "-b8 +b0"),
        ("{kind: interaction, endpoint: average, higher: c, lower: b}", "+c4 -c0 -b4 +b0"),
        (
            "{kind: interaction, endpoint: average, k: 4, higher: [d, c], lower: [b, a]}",
            "+d4 -c4 -b4 +a4",
        ),
        ("{kind: order, endpoint: loss, higher: b, lower: a}", "+b0 -a0"),
        ("{kind: order, endpoint: learnt, higher: b, lower: a}", "+b0 -a0"),
        ("{kind: interaction, endpoint: level, higher: [c, b], lower: [b, a]}", "+c0 -b0 -b0 +a0"),
    ],
)
def test_every_kind_of_claim_is_read(tmp_path: Path, claim: str, terms: str) -> None:
    settings = yaml.safe_load(claim)
    folder = written(tmp_path, yaml.safe_dump(settings), TRAINING + LOSS)
    found = contrast(checked(folder).claims["it"])
    said = [f"{'+' if t.weight > 0 else '-'}{t.arm}{t.k}" for t in found.terms]
    assert " ".join(said) == terms


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("kind: ordr\nendpoint: average", "claims.it.kind='ordr': expected one of 'order'"),
        ("kind: gap\nendpoint: average\nhigher: b\nlower: a", "claims.it.margin is missing"),
        ("kind: gap\nendpoint: average\nhigher: b\nlower: a\nmargin: 0", "claims.it.margin=0"),
        ("kind: order\nendpoint: averag\nhigher: b\nlower: a", "did you mean 'average'"),
        (
            "kind: order\nendpoint: average\nhigher: b\nlower: e",
            "unknown arm in claims.it.lower 'e'",
        ),
        ("kind: gain\nendpoint: average\narm: z", "unknown arm in claims.it.arm 'z'"),
        ("kind: gain\nendpoint: average\narm: b\ndirection: sideways", "claims.it.direction"),
        ("kind: gain\nendpoint: average\narm: b\nk_low: 4", "k_high=4: expected more shots"),
        (
            "kind: gain\nendpoint: average\narm: b\nk_high: 5",
            "claims.it needs open_answer at 5 shots",
        ),
        ("kind: gain\nendpoint: average\narm: b\nk: 4", "claims.it"),
        (
            "kind: interaction\nendpoint: average\nhigher: [d, c]\nlower: b",
            "claims.it: higher and lower: expected one arm each, or two arms each",
        ),
        (
            "kind: interaction\nendpoint: average\nhigher: [d, c, b]\nlower: [b, a]",
            "higher has 3 arms, expected one arm or a list of two",
        ),
        (
            "kind: interaction\nendpoint: average\nhigher: [d, c]\nlower: [b, e]",
            "unknown arm in claims.it.lower 'e'",
        ),
        (
            "kind: interaction\nendpoint: average\nk_low: 0\nhigher: [d, c]\nlower: [b, a]",
            "k_low: between four arms there is one number of shots, give k",
        ),
        (
            "kind: interaction\nendpoint: average\nk: 4\nhigher: d\nlower: c",
            "k: between two arms gains are compared, give k_low and k_high",
        ),
        (
            "kind: order\nendpoint: average\nhigher: b\nlower: b",
            "claims.it compares arm b with itself",
        ),
        (
            "kind: order\nendpoint: average\nhigher: [b, c]\nlower: a",
            "claims.it.higher=['b', 'c']: expected text",
        ),
        (
            "kind: order\nendpoint: loss\nk: 0\nhigher: b\nlower: a",
            "claims.it.k: held_out.pages is measured without shots, leave it out",
        ),
        (
            "kind: gain\nendpoint: loss\narm: b",
            "claims.it: held_out.pages is measured without shots, and a gain is about shots",
        ),
        (
            "kind: order\nendpoint: learnt\nk: 0\nhigher: b\nlower: a",
            "claims.it.k: training_loss.pretrain is measured without shots, leave it out",
        ),
        (
            "kind: order\nendpoint: learnt\nhigher: b\nlower: c",
            "claims.it.lower='c': endpoint learnt is the training loss of pretrain, and that arm"
            " trains text, align",
        ),
    ],
)
def test_claims_that_cannot_be_tested_are_refused(tmp_path: Path, claim: str, words: str) -> None:
    folder = written(tmp_path, claim, TRAINING + LOSS)
    with pytest.raises(ConfigError, match=re.escape(words)):
        checked(folder)


@pytest.mark.parametrize(
    ("endpoints", "words"),
    [
        ("x: {title: X}", "expected tasks or a measure, and neither is given"),
        (
            "x: {title: X, measure: alignment, tasks: [caption]}",
            "expected tasks or a measure, and both are given",
        ),
        ("x: {title: X, tasks: [captoin]}", "unknown task in endpoints.x.tasks 'captoin'"),
        ("x: {title: X, measure: alignmint}", "did you mean 'alignment'"),
        ("x: {title: X, measure: held_out.page}", "endpoints.x.measure 'page'"),
        ("x: {title: X, measure: training_loss.pretrian}", "did you mean 'pretrain'"),
        ("average: {title: X, measure: alignment}", "the first endpoint is shown as the average"),
    ],
)
def test_endpoints_without_a_quantity_are_refused(
    tmp_path: Path, endpoints: str, words: str
) -> None:
    claim = "kind: order\nendpoint: average\nhigher: b\nlower: a"
    folder = written(tmp_path, claim, endpoints)
    with pytest.raises(ConfigError, match=re.escape(words)):
        checked(folder)


def test_a_measure_is_shown_in_its_own_unit(tmp_path: Path) -> None:
    claim = "kind: order\nendpoint: average\nhigher: b\nlower: a"
    endpoints = checked(written(tmp_path, claim, LOSS)).endpoints
    assert (endpoints["loss"].scale, endpoints["average"].scale) == (1.0, 100.0)
