"""Figures of a comparison: claims on one scale, and curves over shots, each with its data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vilax.ablation.report import charts, forest, tables
from vilax.ablation.report.charts import REFERENCE, Level, Series
from vilax.ablation.report.model import ClaimReport, ComparisonReport, Point
from vilax.ablation.report.tables import Table
from vilax.ablation.report.wording import exact, label, unit


@dataclass(frozen=True)
class Figure:
    """A chart with its caption.

    Attributes:
        title: the caption.
        detail: what is shown, in smaller letters.
        svg: the chart.
        data: its points as a table.
    """

    title: str
    detail: str
    svg: Markup
    data: Table


@dataclass(frozen=True)
class Forest:
    """Claims whose effects are in one unit.

    Attributes:
        unit: what effects are counted in.
        scale: the scale, as SVG.
        rows: name of the claim, the claim, its effect as SVG.
        data: the rows as a table.
    """

    unit: str
    scale: Markup
    rows: Sequence[tuple[str, ClaimReport, Markup]]
    data: Table


def styles(one: ComparisonReport) -> dict[str, int]:
    """Each arm's colour, dash and mark, the same in every chart."""
    return {arm: i % REFERENCE for i, arm in enumerate(one.arms)}


def chart(
    title: str,
    detail: str,
    series: Sequence[Series],
    x_label: str,
    levels: Sequence[Level] = (),
    marks: Sequence[float] | None = None,
    zero: bool = True,
) -> list[Figure]:
    """A chart with its data; none where there is no point.

    Args:
        title: the caption.
        detail: what is shown.
        series: the lines.
        x_label: below the chart.
        levels: horizontal references.
        marks: x values with a tick; None: every x that a line has.
        zero: whether the y axis holds 0.
    """
    if marks is None:
        marks = sorted({x for one in series for x, _ in one.points}) or [0.0]
    svg = charts.lines(title, series, x_label, marks, levels, zero)
    if not svg:
        return []
    return [Figure(title, detail, Markup(svg), _data(series, x_label, levels))]  # noqa: S704


def _data(series: Sequence[Series], x_label: str, levels: Sequence[Level]) -> Table:
    rows = []
    for one in series:
        ends = {x: (low, high) for x, low, high in one.band}
        for x, y in one.points:
            low, high = ends.get(x, (None, None))
            rows.append([one.name, f"{x:g}", exact(y), exact(low), exact(high)])
    rows += [[level.name, "", exact(level.y), "", ""] for level in levels]
    return Table(["line", x_label, "value", "low", "high"], rows)


def forests(one: ComparisonReport) -> list[Forest]:
    """Effects of all claims with their intervals, those of one unit on one scale."""
    units: dict[str, list[str]] = {}
    for name, claim in one.claims.items():
        units.setdefault(unit(one, claim), []).append(name)
    found = []
    for name_of_unit, names in units.items():
        claims = {name: one.claims[name] for name in names}
        ends = [abs(x) for claim in claims.values() for x in claim.interval or ()]
        ends += [1.25 * claim.margin for claim in claims.values()]
        farthest = max(ends, default=0.0) or 1.0
        _, reach = charts.bounds([-farthest, farthest], zero=True)
        rows = [(name, claim, _effect(claim, reach)) for name, claim in claims.items()]
        table = tables.forest_table(list(claims.values()), name_of_unit)
        found.append(Forest(name_of_unit, Markup(forest.scale(reach)), rows, table))  # noqa: S704
    return found


def _effect(claim: ClaimReport, reach: float) -> Markup:
    if claim.effect is None or claim.interval is None:
        return Markup()
    zone = (-claim.margin, claim.margin) if claim.kind == "equal" else (claim.margin, reach)
    drawn = forest.interval(
        claim.effect, *claim.interval, reach, zone, f"v-{claim.verdict}", claim.paper_effect
    )
    return Markup(drawn)  # noqa: S704


def averages(one: ComparisonReport) -> list[Figure]:
    """The paper's average over shots, and our endpoints: same arms, same form."""
    own = styles(one)
    table = tables.paper_table(one)
    drawn = []
    if table.groups and all(head.isdigit() for head in table.headings[1:]):
        width = table.groups[-1][1]
        shots = [int(head) for head in table.headings[-width:]]
        paper = []
        for arm, cells in one.paper.rows.items():
            points = [
                (float(k), float(cell))
                for k, cell in zip(shots, cells[-width:], strict=True)
                if isinstance(cell, int | float)
            ]
            paper.append(Series(arm, points, own.get(arm, REFERENCE)))
        if len(shots) > 1:
            drawn += chart("Paper: average", one.paper.source, paper, "shots")
    for name, endpoint in one.endpoints.items():
        if not endpoint.tasks or (len(endpoint.tasks) == 1 and len(one.endpoints) > 1):
            continue  # its task has a chart of its own below
        ours = [_endpoint_series(one, arm, name, own[arm]) for arm in one.arms]
        detail = ", ".join(label(task) for task in endpoint.tasks)
        if len({x for line in ours for x, _ in line.points}) > 1:
            drawn += chart(f"Ours: {endpoint.title}", detail, ours, "shots")
    return drawn


def _endpoint_series(one: ComparisonReport, arm: str, name: str, style: int) -> Series:
    seeds = list(one.arms[arm].seeds.values())
    shots = sorted({int(k) for seed in seeds for k in seed.endpoints.get(name, {})})
    points, band = [], []
    for k in shots:
        values = [s.endpoints[name][str(k)] for s in seeds if str(k) in s.endpoints.get(name, {})]
        points.append((float(k), sum(values) / len(values)))
        band.append((float(k), min(values), max(values)))
    return Series(arm, points, style, band if len(seeds) > 1 else ())


def shot_charts(one: ComparisonReport, is_text: bool) -> list[Figure]:
    """A chart per task with its arms; text tasks show the base LLM as well."""
    own = styles(one)
    drawn: list[Figure] = []
    for task, facts in one.tasks.items():
        if facts.is_text != is_text or len(facts.shots) < 2:
            continue
        series = [
            _series(arm, points, own.get(arm, REFERENCE))
            for arm, points in one.curves.get(task, {}).items()
        ]
        if task in one.base:
            series.append(_series("base LLM", one.base[task], REFERENCE))
        levels = [] if facts.chance is None else [Level("chance", facts.scale * facts.chance)]
        if facts.ceiling is not None:
            levels.append(Level("probe", facts.scale * facts.ceiling))
        detail = f"{label(facts.metric)}, {facts.items} items"
        if facts.ceiling is not None:
            detail += "; probe: linear probe of the encoder"
        drawn += chart(label(task), detail, series, "shots", levels)
    return drawn


def _series(name: str, points: Mapping[str, Point], style: int) -> Series:
    ordered = sorted((int(k), point) for k, point in points.items())
    band = [(float(k), p.low, p.high) for k, p in ordered]
    return Series(name, [(float(k), p.mean) for k, p in ordered], style, band)
