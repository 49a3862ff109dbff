"""What judgements come to: figures by number of shots, and all that was not as it should be."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from vilax.evaluation.asking import mean_figures
from vilax.evaluation.judge.plan import Plan
from vilax.evaluation.judge.protocols import FAULTS, RULES
from vilax.evaluation.judge.scoring import PRIMARY, Scored, figures

Line = Mapping[str, Any]

AS_LOST = "answers without a usable reply count as the benchmark's own script counts them"
NOT_ALL = "not every answer was judged: figures over all answers are left out"


def summarise(plan: Plan, lines: Sequence[Line]) -> dict[str, Any]:
    """What ``tasks.<name>.judge`` of results.json holds.

    Of answers whose replies never held a score the reference's script makes something (0, or a
    score of -1): ``figures`` does as it does, ``scored_only`` leaves these answers out,
    ``unscored`` counts and names them. Where an answer got no reply at all no script has a rule,
    and ``figures`` stays empty for its number of shots.

    Args:
        plan: what was asked.
        lines: its judgements, all runs of an answer one after the other.
    """
    parts: dict[tuple[int, int], list[tuple[Mapping[str, Any], Sequence[Line]]]] = {}
    runs = plan.settings.runs
    for place, fields in enumerate(plan.fields):
        some = lines[place * runs : (place + 1) * runs]
        parts.setdefault((some[0]["k"], some[0]["seed"]), []).append((fields, some))
    by_part: dict[str, dict[tuple[int, int], dict[str, Any]]] = {}
    for part, items in parts.items():
        for name, found in _figures(plan, items).items():
            by_part.setdefault(name, {})[part] = found
    ks = list(dict.fromkeys(k for k, _ in parts))
    primary, whole = PRIMARY[plan.protocol]
    every = by_part["figures"]
    summary: dict[str, Any] = {
        "protocol": plan.protocol,
        "model": plan.model,
        "served": sorted({line["served"] for line in lines if line["served"]}),
        "endpoint": plan.settings.base_url,
        "prompt": plan.prompt.version,
        "prompt_source": plan.prompt.source,
        "runs": runs,
        "temperatures": list(RULES[plan.protocol].temperatures),
        "max_tokens": plan.max_tokens,
        "primary": primary,
        "scores": {},
        "by_seed": {},
        "answers": len(plan.rows),
        "judgements": len(lines),
        "unscored": _unscored(lines),
        "notes": [],
    }
    for name, of_part in by_part.items():
        summary[name] = {}
        for k in ks:
            seeds = [of_part[part] for part in parts if part[0] == k and part in of_part]
            # A mean over some of the seeds would pass for one over all.
            is_whole = len(seeds) == sum(part[0] == k for part in parts) and all(seeds)
            summary[name][str(k)] = _mean(seeds) if is_whole else {}
    for k in ks:
        shares = {
            str(part[1]): every[part][primary] / whole if every[part] else None
            for part in parts
            if part[0] == k
        }
        values = [share for share in shares.values() if share is not None]
        summary["scores"][str(k)] = fmean(values) if len(values) == len(shares) else None
        if len(shares) > 1:
            summary["by_seed"][str(k)] = shares
    reasons = summary["unscored"]["reasons"]
    if reasons:
        summary["notes"].append(AS_LOST if set(reasons) <= FAULTS else NOT_ALL)
    return summary | _on_the_way(plan, lines)


def _figures(
    plan: Plan, items: Sequence[tuple[Mapping[str, Any], Sequence[Line]]]
) -> dict[str, dict[str, Any]]:
    """Figures of one number of shots and seed: over all, over the scored, after one reply."""
    scored: list[Scored] = [(f, [line["parsed"] for line in some]) for f, some in items]
    lines = [line for _, some in items for line in some]
    reasons = {line["unscored"] for line in lines if line["unscored"]}
    found: dict[str, dict[str, Any]] = {"figures": {}, "scored_only": {}}
    if reasons <= FAULTS and any(line["parsed"] is not None for line in lines):
        found["figures"] = figures(plan.protocol, scored)
    whole = [item for item in scored if None not in item[1]]
    if reasons and whole:
        found["scored_only"] = figures(plan.protocol, whole)
    if plan.protocol == "llava_bench" and found["figures"]:
        # The reference asks once: what it would have said.
        first = [
            (f, [line["parsed"] if line["attempts"] == 1 else None for line in some])
            for f, some in items
        ]
        found["first_reply"] = figures(plan.protocol, first)
    return found


def _mean(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if len(seeds) == 1:
        return dict(seeds[0])
    return mean_figures(seeds)


def _unscored(lines: Sequence[Line]) -> dict[str, Any]:
    missing = [line for line in lines if line["unscored"]]
    reasons = Counter(str(line["unscored"]) for line in missing)
    names = ("id", "k", "seed", "run", "unscored")
    return {
        "count": len(missing),
        "reasons": dict(sorted(reasons.items())),
        "judgements": [{name: line[name] for name in names} for line in missing],
    }


def _on_the_way(plan: Plan, lines: Sequence[Line]) -> dict[str, Any]:
    """Faults, troubles and tokens, each judgement once, however many answers share it."""
    runs = plan.settings.runs
    mine = [lines[job.places[0] * runs + job.run] for job in plan.jobs]
    faults = Counter(fault for line in mine for fault in line["faults"])
    troubles: Counter[str] = Counter()
    for line in mine:
        troubles.update(line["troubles"])
    return {
        "faults": dict(sorted(faults.items())),
        "troubles": dict(sorted(troubles.items())),
        "tokens": {
            "in": sum(line["tokens"][0] for line in mine),
            "out": sum(line["tokens"][1] for line in mine),
        },
    }
