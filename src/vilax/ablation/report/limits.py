"""What a reader must know before leaning on a comparison's figures."""

from vilax.ablation.claims import SEEDS_NEEDED
from vilax.ablation.report.model import ComparisonReport
from vilax.ablation.report.wording import label


def limits(one: ComparisonReport, scale: str) -> list[str]:
    """What a reader must know before leaning on the figures."""
    seeds = len(one.seeds)
    found = []
    if one.state == "open":
        return [f"Nothing here was measured: {one.state_reason}."]
    if seeds < SEEDS_NEEDED and one.claims:
        what = "1 seed: intervals are over items alone" if seeds == 1 else f"{seeds} seeds"
        found.append(f"{what}. No claim is decided below {SEEDS_NEEDED} seeds.")
    if scale == "micro":
        found.append(
            "Micro scale: a language model of about a million weights and drawings for pictures."
            " Orders and signs can be held against the paper's, figures cannot."
        )
    shared = _same_for_all_seeds(one)
    if shared and seeds > 1:
        found.append(
            f"Seeds do not vary {', '.join(shared)}: all start from one result, as from a"
            " downloaded model. They vary what is trained after it, data order and shots."
        )
    if one.tuning == "shared":
        found.append("Settings were tuned once for all arms, not for each.")
    found += [f"Not held equal: {sentence}." for sentence in one.unequal]
    found += [
        f"{label(task)} carries no claim: {facts.failed}."
        for task, facts in one.controls.items()
        if facts.failed
    ]
    found += [f"{line}." for line in one.calibration]
    found += [f"Arm {arm} is incomplete: {f.failed}." for arm, f in one.arms.items() if f.failed]
    found += [f"Arm {arm} is open: {f.waiting}." for arm, f in one.arms.items() if f.waiting]
    found += [
        f"Arm {arm} is open: it runs at {' and '.join(f.scales)} scale only."
        for arm, f in one.open_arms.items()
        if scale not in f.scales
    ]
    return found


def _same_for_all_seeds(one: ComparisonReport) -> list[str]:
    """Stages that have one result over all arms and seeds."""
    found: dict[str, set[str]] = {}
    for arm in one.arms.values():
        for stage in arm.stages:
            found.setdefault(stage.name, set()).add(stage.identity)
    return [name for name, identities in found.items() if len(identities) == 1]
