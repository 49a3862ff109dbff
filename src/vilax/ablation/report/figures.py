"""The page's figures: claims with intervals, curves over shots, training curves, shared stages."""

from collections.abc import Mapping, Sequence
from html import escape

from vilax.ablation.report import charts, tables
from vilax.ablation.report.charts import REFERENCE, Level, Series
from vilax.ablation.report.model import ClaimReport, ComparisonReport, Point

SIGNS = {"holds": "✓", "contradicts": "✗", "undecided": "?"}


def styles(one: ComparisonReport) -> dict[str, int]:
    """Each arm's colour, dash and mark, the same in every chart."""
    return {arm: i % REFERENCE for i, arm in enumerate(one.arms)}


def figure(title: str, detail: str, svg: str) -> str:
    """A chart with its caption; nothing where there is no chart."""
    if not svg:
        return ""
    small = f" <small>{escape(detail)}</small>" if detail else ""
    return f"<figure><figcaption>{escape(title)}{small}</figcaption>{svg}</figure>"


def claims(one: ComparisonReport) -> str:
    """A row per claim, intervals on one scale."""
    ends = [abs(x) for claim in one.claims.values() for x in claim.interval or ()]
    ends += [1.25 * claim.margin for claim in one.claims.values()]
    _, reach = charts.bounds([-max([1.0, *ends]), max([1.0, *ends])], zero=True)
    rows = [_claim(name, claim, reach) for name, claim in one.claims.items()]
    return f"<ol class='claims'>{''.join(rows)}</ol>"


def _claim(name: str, claim: ClaimReport, reach: float) -> str:
    measure = "<p class='figure'>no figure</p>"
    if claim.effect is not None and claim.interval is not None:
        zone = (-claim.margin, claim.margin) if claim.kind == "equal" else (claim.margin, reach)
        css = f"v-{claim.verdict}"
        measure = charts.interval(claim.effect, *claim.interval, reach, zone, css) + (
            f"<p class='figure'><b>{tables.signed(claim.effect)}</b>"
            f" <span>[{tables.between(claim.interval)}]</span></p>"
        )
    return (
        f"<li class='claim' id='{escape(name)}'>"
        f"<p class='badge v-{claim.verdict}'><span aria-hidden='true'>{SIGNS[claim.verdict]}</span>"
        f" {claim.verdict}</p>"
        f"<div><h3>{escape(claim.text)}</h3>"
        f"<p class='test'>{escape(tables.definition(claim))}</p>"
        f"<p class='paper'><span>Paper</span> {escape(claim.paper or 'no figure')}</p></div>"
        f"<div class='measure'>{measure}<p class='reason'>{escape(claim.reason)}</p></div></li>"
    )


def averages(one: ComparisonReport) -> str:
    """The paper's average over shots, and our endpoints: same arms, same form."""
    own = styles(one)
    table = tables.paper_table(one)
    paper: list[Series] = []
    if table.groups and all(head.isdigit() for head in table.headings[1:]):
        width = table.groups[-1][1]
        shots = [int(head) for head in table.headings[-width:]]
        for arm, cells in one.paper.rows.items():
            points = [
                (float(k), cell)
                for k, cell in zip(shots, cells[-width:], strict=True)
                if isinstance(cell, float)
            ]
            paper.append(Series(arm, points, own.get(arm, REFERENCE)))
    drawn = [figure("Paper: average", one.paper.source, _shots("the paper's average", paper))]
    for name, endpoint in one.endpoints.items():
        if len(endpoint.tasks) == 1 and len(one.endpoints) > 1:
            continue  # its task has a chart of its own below
        ours = [_endpoint_series(one, arm, name, own[arm]) for arm in one.arms]
        detail = ", ".join(tables.label(task) for task in endpoint.tasks)
        drawn.append(figure(f"Ours: {endpoint.title}", detail, _shots(endpoint.title, ours)))
    return "".join(drawn)


def _shots(title: str, series: Sequence[Series]) -> str:
    return charts.lines(title, series, "shots", _marks(series))


def _endpoint_series(one: ComparisonReport, arm: str, name: str, style: int) -> Series:
    seeds = list(one.arms[arm].seeds.values())
    shots = sorted({int(k) for seed in seeds for k in seed.endpoints.get(name, {})})
    points, band = [], []
    for k in shots:
        values = [s.endpoints[name][str(k)] for s in seeds if str(k) in s.endpoints.get(name, {})]
        points.append((float(k), sum(values) / len(values)))
        band.append((float(k), min(values), max(values)))
    return Series(arm, points, style, band if len(seeds) > 1 else ())


def _marks(series: Sequence[Series]) -> list[float]:
    return sorted({x for one in series for x, _ in one.points}) or [0.0]


def shot_charts(one: ComparisonReport, is_text: bool) -> str:
    """A chart per task with its arms; text tasks show the base LLM as well."""
    own = styles(one)
    drawn = []
    for task, facts in one.tasks.items():
        if facts.is_text != is_text or len(facts.shots) < 2:
            continue
        series = [
            _series(arm, points, own[arm]) for arm, points in one.curves.get(task, {}).items()
        ]
        if task in one.base:
            series.append(_series("base", one.base[task], REFERENCE))
        levels = [] if facts.chance is None else [Level("chance", 100 * facts.chance)]
        if facts.ceiling is not None:
            levels.append(Level("probe", 100 * facts.ceiling))
        svg = charts.lines(tables.label(task), series, "shots", _marks(series), levels)
        detail = f"{tables.label(facts.metric)}, {facts.items} items"
        if facts.ceiling is not None:
            detail += "; probe: linear probe of the encoder"
        drawn.append(figure(tables.label(task), detail, svg))
    return "".join(drawn)


def _series(name: str, points: Mapping[str, Point], style: int) -> Series:
    ordered = sorted((int(k), point) for k, point in points.items())
    band = [(float(k), p.low, p.high) for k, p in ordered]
    return Series(name, [(float(k), p.mean) for k, p in ordered], style, band)


def training_charts(one: ComparisonReport) -> str:
    """A chart per stage; arms that share a stage share its line."""
    own = styles(one)
    drawn = []
    for stage, lines in one.training.items():
        series = []
        for arms, points in lines.items():
            first = arms.split(", ")[0]
            name = "all" if len(lines) == 1 and len(one.arms) > 1 else arms.replace(", ", " ")
            style = REFERENCE if name == "all" else own.get(first, REFERENCE)
            series.append(Series(name, points, style, is_dense=True))
        svg = charts.lines(
            stage, series, "share of the stage's budget", [0.0, 0.5, 1.0], zero=False
        )
        drawn.append(figure(stage, "training loss per supervised token, nats", svg))
    return "".join(drawn)


def sharing(one: ComparisonReport) -> str:
    """Arms by stage, at the first seed: a stage that arms share is one cell."""
    by_arm = {arm: {s.name: s for s in tables.stages_of(one, arm)} for arm in one.arms}
    names = list(dict.fromkeys(name for stages in by_arm.values() for name in stages))
    if not names:
        return ""
    arms = list(by_arm)
    body = []
    for row, arm in enumerate(arms):
        cells = [f"<th scope='row'>{escape(arm)}</th>"]
        for name in names:
            stage = by_arm[arm].get(name)
            if stage is None:
                cells.append("<td class='none'>not done</td>")
                continue
            same = [name in by_arm[a] and by_arm[a][name].identity == stage.identity for a in arms]
            if row and same[row - 1]:
                continue
            span = next((i for i in range(row, len(arms)) if not same[i]), len(arms)) - row
            earlier = next((arms[i] for i in range(row) if same[i]), "")
            how = "from the store" if stage.reused else f"trained, {stage.seconds:,.0f} s"
            what = f"the same as {escape(earlier)}" if earlier else how
            css = "stored" if stage.reused else "trained"
            cells.append(
                f"<td class='{css}' rowspan='{span}'><b>{what}</b>"
                f"<code>{escape(stage.identity[:8])}</code></td>"
            )
        body.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in names)
    return (
        "<div class='scroll' tabindex='0' role='region' aria-label='stages that arms share'>"
        f"<table class='sharing'><thead><tr><th scope='col'>arm</th>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
