"""Claims of every kind, and null arms, as the report shows them."""

from dataclasses import replace
from pathlib import Path

from tests.ablation.report.samples import collected
from vilax.ablation.report.content import content
from vilax.ablation.report.limits import limits
from vilax.ablation.report.page import comparison_page
from vilax.ablation.report.wording import definition, unit
from vilax.config.schema.comparison import (
    Claim,
    Endpoint,
    GainClaim,
    GapClaim,
    InteractionClaim,
    OrderClaim,
)


def test_every_kind_of_claim_says_its_test_and_null_arms_their_count(
    tmp_path: Path,
) -> None:
    base = collected(tmp_path, seeds=(0, 1, 2, 3, 4))
    settings = base.resolved.comparison
    text = {"text": "So.", "paper": "", "endpoint": "average"}
    claims: dict[str, Claim] = {
        "gap": GapClaim(**text, higher="b", lower="a", margin=2.0, paper_effect=53.4),
        "rise": GainClaim(**text, arm="c"),
        "fall": GainClaim(
            **(text | {"endpoint": "zero_shot"}), arm="b", direction="down", margin=1.0
        ),
        "four": InteractionClaim(**text, higher=("c", "b"), lower=("d", "a"), k=4),
        "loss": OrderClaim(**(text | {"endpoint": "loss"}), higher="b", lower="a"),
        "learnt": OrderClaim(**(text | {"endpoint": "learnt"}), higher="b", lower="a"),
    }
    twin = settings.arms["c"].model_copy(update={"seed_offset": 50})
    changed_settings = settings.model_copy(
        update={
            "claims": claims,
            "endpoints": settings.endpoints
            | {
                "loss": Endpoint(title="Loss", measure="held_out", scale=1.0),
                "learnt": Endpoint(title="Learnt", measure="training_loss.sft"),
            },
            "arms": settings.arms | {"d": twin},
        }
    )
    resolved = replace(base.resolved, comparison=changed_settings)
    report = content([replace(base, resolved=resolved)], "micro")
    one = report.comparisons["freezing"]
    said = {name: definition(claim) for name, claim in one.claims.items()}
    assert said == {
        "gap": "average: b > a by more than 2 at 0 shots",
        "rise": "average: c rises from 0 to 4 shots",
        "fall": "zero shot: b falls from 0 to 4 shots by more than 1",
        "four": "average: c - b > d - a at 4 shots",
        "loss": "loss: b > a",
        "learnt": "learnt: b > a",
    }
    assert one.claims["rise"].verdict == "holds"
    assert one.claims["fall"].effect is not None and one.claims["fall"].effect > 0
    assert one.claims["gap"].power is not None and one.claims["gap"].power > 0.9
    assert one.claims["loss"].verdict == "contradicts"
    assert one.claims["learnt"].seeds == one.claims["loss"].seeds
    assert unit(one, one.claims["learnt"]) == "training loss, sft"
    assert "c and d are equal but for the seed" in one.calibration[0]
    assert f"{one.calibration[0]}." in limits(one, "micro")
    assert "c - b &gt; d - a at 4 shots" in comparison_page("freezing", one, report)
