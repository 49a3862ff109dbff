"""Figures and tables of what arms learned: training loss, and what was measured on their ends."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from vilax.ablation.report.charts import REFERENCE, Series, ticks
from vilax.ablation.report.figures import Figure, chart, styles
from vilax.ablation.report.measured import Measured
from vilax.ablation.report.model import ComparisonReport
from vilax.ablation.report.tables import Table
from vilax.ablation.report.wording import spread

Points = list[tuple[float, float]]

TRAINING_TITLE = "Training loss by stage, over the last half of its budget"
"""Title of its table."""
MANY = 12
"""Points from which on a line is drawn without marks."""


def training_charts(one: ComparisonReport) -> list[Figure]:
    """A chart per stage; arms that share a stage share its line."""
    own = styles(one)
    drawn: list[Figure] = []
    for stage, lines in one.training.items():
        series = []
        for arms, points in lines.items():
            first = arms.split(", ")[0]
            name = "all" if len(lines) == 1 and len(one.arms) > 1 else arms.replace(", ", " ")
            style = REFERENCE if name == "all" else own.get(first, REFERENCE)
            series.append(Series(name, points, style, is_dense=len(points) > MANY))
        last = max((x for line in series for x, _ in line.points), default=1.0)
        marks = ticks(0.0, last)
        detail = "training loss, nats per supervised token"
        drawn += chart(stage, detail, series, "supervised tokens", marks=marks, zero=False)
    return drawn


def training_table(one: ComparisonReport) -> Table:
    """Mean training loss of each stage over the last half of its budget, in nats per token."""
    stages = dict.fromkeys(
        name for a in one.arms.values() for m in a.measures.values() for name in m.training_loss
    )
    rows = []
    for arm, facts in one.arms.items():
        seeds = [m.training_loss for m in facts.measures.values()]
        if any(seeds):
            cells = [[losses[name] for losses in seeds if name in losses] for name in stages]
            rows.append([arm, *(spread(losses, 3) for losses in cells)])
    return Table(["arm", *stages], rows)


def alignment(one: ComparisonReport) -> list[Figure]:
    """Similarity of visual and textual embeddings by layer (Figure 3 of the paper)."""

    def points(found: Measured) -> Points:
        here = found.alignment
        return (
            [] if here is None else sorted(zip(map(float, here.layers), here.values, strict=False))
        )

    detail = "cosine similarity of visual and textual embeddings; deeper layers to the right"
    title = "Alignment of embeddings by layer"
    lines = _lines(one, points)
    for arms, seeds in one.base_measures.items():
        # Where all arms have the same, it needs no name.
        whose = "" if len(one.base_measures) == 1 else f" ({arms.replace(', ', ' ')})"
        lines.append(_line(f"untouched LLM{whose}", list(seeds.values()), points, REFERENCE))
    return chart(title, detail, lines, "layer", zero=False)


def in_context(one: ComparisonReport) -> list[Figure]:
    """Held-out loss by place in the document, and by the number of pictures before it."""

    def by_position(found: Measured) -> Points:
        here = found.loss_by_position
        return [] if here is None else _known(here.edges, here.loss)

    def by_images(found: Measured) -> Points:
        here = found.loss_by_images
        return [] if here is None else _known(here.images, here.loss)

    detail = "held-out loss, nats per supervised token; bins by where they begin"
    drawn = chart("Loss by position", detail, _lines(one, by_position), "tokens before", zero=False)
    detail = "held-out loss, nats per supervised token"
    drawn += chart(
        "Loss by pictures before", detail, _lines(one, by_images), "pictures before", zero=False
    )
    return drawn


def _known(xs: Sequence[float], ys: Sequence[float | None]) -> Points:
    return [(float(x), y) for x, y in zip(xs, ys, strict=False) if y is not None]


def _lines(one: ComparisonReport, points: Callable[[Measured], Points]) -> list[Series]:
    """A line per arm."""
    own = styles(one)
    return [
        _line(arm, list(facts.measures.values()), points, own[arm])
        for arm, facts in one.arms.items()
    ]


def _line(
    name: str, seeds: Sequence[Measured], points: Callable[[Measured], Points], style: int
) -> Series:
    """The mean over seeds with the lowest and highest."""
    by_x: dict[float, list[float]] = {}
    for found in seeds:
        for x, y in points(found):
            by_x.setdefault(x, []).append(y)
    means = [(x, fmean(ys)) for x, ys in sorted(by_x.items())]
    band = [(x, min(ys), max(ys)) for x, ys in sorted(by_x.items())]
    return Series(name, means, style, band if len(seeds) > 1 else (), len(means) > MANY)


def drift_table(one: ComparisonReport) -> Table:
    """Perplexity on text after an arm's stages, and of the base LLM before them."""
    rows = []
    for arm, facts in one.arms.items():
        found = [m.text_drift for m in facts.measures.values() if m.text_drift is not None]
        logs = [math.log(x.perplexity / x.base_perplexity) for x in found]
        if found:
            rows.append(
                [
                    arm,
                    spread([x.perplexity for x in found], 2),
                    spread([x.base_perplexity for x in found], 2),
                    spread([100 * (math.exp(log) - 1) for log in logs]),
                    spread(logs, 3),
                ]
            )
    headings = ["arm", "perplexity", "of the base LLM", "change, %", "change, nats per token"]
    return Table(headings, rows)


def held_out_table(one: ComparisonReport) -> Table:
    """Held-out loss by corpus, in nats per supervised token."""
    corpora = dict.fromkeys(
        name for a in one.arms.values() for m in a.measures.values() for name in m.held_out
    )
    rows = []
    for arm, facts in one.arms.items():
        seeds = list(facts.measures.values())
        if any(m.held_out for m in seeds):
            cells = [[m.held_out[n].loss for m in seeds if n in m.held_out] for n in corpora]
            rows.append([arm, *(spread(losses, 3) for losses in cells)])
    return Table(["arm", *corpora], rows)
