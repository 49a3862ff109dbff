"""Comparisons that were not run at a scale: what they ask and what the paper says stays to see."""

import sys
from collections.abc import Container
from pathlib import Path

from vilax.ablation.claims import Verdict
from vilax.ablation.report.content import claims_of, open_arms, stated
from vilax.ablation.report.model import ComparisonReport
from vilax.config.comparisons import comparison_names, load_comparison
from vilax.config.errors import ConfigError


def unrun(
    scale: str, ran: Container[str], config_dir: Path | None = None
) -> dict[str, ComparisonReport]:
    """Every known comparison that was not run at a scale, by name.

    One whose files are broken is named on stderr and left out.
    """
    found = {}
    for name in comparison_names(config_dir):
        if name in ran:
            continue
        try:
            found[name] = _open(name, scale, config_dir)
        except ConfigError as error:
            print(f"vilax: {name} is not in the report: {error}", file=sys.stderr)
    return found


def _open(name: str, scale: str, config_dir: Path | None) -> ComparisonReport:
    settings = load_comparison(name, config_dir).at_scale(scale)
    more = f" --config-dir {config_dir}" if config_dir is not None else ""
    if scale in settings.scales:
        reason, command = "not run", f"vilax compare {name} --scale {scale}{more}"
    else:
        where = " and ".join(settings.scales)
        size = "gpus=8" if settings.scales[0] == "paper" else f"scale={settings.scales[0]}"
        reason, command = f"runs at {where} scale only", f"vilax plan {name} {size}{more}"
    nothing = Verdict("undecided", reason)
    return ComparisonReport.model_validate(
        stated(settings)
        | {
            "command": command,
            "seeds": (),
            "unequal": (),
            "tasks": {},
            "arms": {},
            "open_arms": open_arms(settings, ()),
            "claims": claims_of(settings, dict.fromkeys(settings.claims, nothing)),
            "curves": {},
            "base": {},
            "controls": {},
            "training": {},
            "timing": {
                "alone_seconds": 0.0,
                "distinct_seconds": 0.0,
                "stages": 0,
                "distinct_stages": 0,
                "evaluation_seconds": 0.0,
            },
            "state": "open",
            "state_reason": reason,
        }
    )
