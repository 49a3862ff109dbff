"""Tables that all forms of the report share, as rows of text."""

from collections.abc import Mapping
from typing import Any

import numpy as np

Comparison = Mapping[str, Any]
SHOWN_SHOTS = (0, 4)
"""Shots of the paper's tables."""


def number(value: float | None, digits: int = 1) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """A difference with its sign."""
    return "-" if value is None else f"{value:+.1f}"


def interval(values: list[float] | None) -> str:
    """An interval as text."""
    return "-" if values is None else f"{values[0]:+.1f} to {values[1]:+.1f}"


def spread(values: list[float]) -> str:
    """Mean, with the standard deviation over seeds where there are several."""
    if not values:
        return "-"
    mean = f"{np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.1f}"


def paper_table(one: Comparison) -> tuple[list[str], list[list[str]]]:
    """The paper's figures: headings and rows."""
    paper = one["paper"]
    rows = []
    for arm, figures in paper["rows"].items():
        cells = [f if isinstance(f, str) else number(f) for f in figures]
        rows.append([arm, *cells])
    return ["arm", *paper["columns"]], rows


def our_table(one: Comparison) -> tuple[list[str], list[list[str]]]:
    """Our figures in the paper's form: each task and the average at 0 and 4 shots, in percent."""
    tasks = [t for t in one["tasks"] if not t.startswith("text_")]
    columns = [(t, k) for t in tasks for k in SHOWN_SHOTS if k in one["tasks"][t]["shots"]]
    first = next(iter(one["endpoints"]))
    headings = ["arm", *(f"{label(t)} {k}" for t, k in columns)]
    headings += [f"{one['endpoints'][first]['title']} {k}" for k in SHOWN_SHOTS]
    rows = []
    for arm, facts in one["arms"].items():
        cells = [arm]
        for task, k in columns:
            values = [100 * s["tasks"][task][str(k)] for s in facts["seeds"].values()]
            cells.append(spread(values))
        for k in SHOWN_SHOTS:
            found = [s["endpoints"][first].get(str(k)) for s in facts["seeds"].values()]
            cells.append(spread([value for value in found if value is not None]))
        rows.append(cells)
    return headings, rows


def stage_table(one: Comparison) -> tuple[list[str], list[list[str]]]:
    """What each stage of each arm saw and took at the first seed."""
    headings = ["arm", "stage", "identity", "", "seconds", "tokens", "supervised", "documents"]
    headings.append("images")
    rows = []
    for arm, facts in one["arms"].items():
        for stage in facts["stages"]:
            if stage["seed"] != one["seeds"][0]:
                continue
            counts = ("tokens", "supervised", "documents", "images")
            rows.append(
                [
                    arm,
                    stage["name"],
                    stage["identity"][:8],
                    "reused" if stage["reused"] else "trained",
                    number(stage["seconds"], 0),
                    *(f"{stage[count]:,}" for count in counts),
                ]
            )
    return headings, rows


def base_table(one: Comparison) -> tuple[list[str], list[list[str]]]:
    """The base LLM on the same tasks asked in text, in percent by shots."""
    shots = sorted({int(k) for figures in one["base"].values() for k in figures})
    rows = [
        [label(task), *(number(100 * f[str(k)]) if str(k) in f else "" for k in shots)]
        for task, f in one["base"].items()
    ]
    return ["task", *(f"{k} shots" for k in shots)], rows


def label(task: str) -> str:
    """A task's name for people."""
    return task.replace("_", " ")


def verdict_counts(one: Comparison) -> str:
    """How many claims hold, are contradicted, and are undecided."""
    words = [claim["verdict"] for claim in one["claims"].values()]
    parts = [f"{words.count(w)} {w}" for w in ("holds", "contradicts", "undecided") if w in words]
    return ", ".join(parts)


def limits(one: Comparison) -> list[str]:
    """What a reader must know before leaning on the figures."""
    seeds = len(one["seeds"])
    found = []
    if seeds < 5:
        found.append(
            f"{seeds} seed{'s' if seeds > 1 else ''}: intervals of a single seed are over items"
            " only and no claim is decided below five seeds."
        )
    found.append(
        "The base LLM is the same for all seeds, as a downloaded one would be; seeds vary projector"
        " initialisation, data order and the choice of shots."
    )
    found += [f"Not held equal: {sentence}." for sentence in one["unequal"]]
    found += [f"Arm {arm} failed: {f['failed']}." for arm, f in one["arms"].items() if f["failed"]]
    return found
