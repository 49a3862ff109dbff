"""The report as one HTML page: self-contained, without scripts and without a network."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from vilax.ablation.report import charts, tables
from vilax.ablation.report.style import CSS

COLOURS = {"holds": "#009E73", "contradicts": "#D55E00", "undecided": "#7F7F7F"}
SIGNS = {"holds": "✓", "contradicts": "✗", "undecided": "?"}


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    names = list(report["comparisons"])
    body = [comparison(name, report["comparisons"][name]) for name in names]
    links = " ".join(f'<a href="#{escape(n)}">{escape(n)}</a>' for n in names)
    versions = ", ".join(f"{name} {value}" for name, value in report["versions"].items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>vilax: {escape(', '.join(names))} at {escape(report['scale'])} scale</title>"
        f"<style>{CSS}</style></head><body><header><p class='brand'>vilax</p>"
        f"<p>{escape(report['scale'])} scale · {escape(report['generated'])}</p>"
        f"<nav aria-label='comparisons'>{links}</nav></header><main>{''.join(body)}</main>"
        f"<footer><p>{escape(versions)}</p></footer></body></html>\n"
    )


def comparison(name: str, one: Mapping[str, Any]) -> str:
    """One comparison: claims first, then the tables and curves that they rest on."""
    colours = {arm: index for index, arm in enumerate(one["arms"])}
    notes = "".join(f"<li>{escape(line)}</li>" for line in tables.limits(one))
    varied = ", ".join(f"<code>{escape(key)}</code>" for key in one["varies"])
    seeds = ", ".join(str(seed) for seed in one["seeds"])
    return (
        f'<article id="{escape(name)}"><h1>{escape(one["title"])}</h1>'
        f'<p class="question">{escape(one["question"])}</p>'
        f"<p>Arms differ in {varied} and in nothing else; every arm sees the same number of"
        f" {escape(one['held_equal'])} in each stage. Seeds: {seeds}."
        f" Claims: <b>{escape(tables.verdict_counts(one))}</b>.</p>"
        f"<section><h2>Claims</h2>{claims(one)}</section>"
        f"<section><h2>Arms</h2>{legend(one, colours)}</section>"
        f"<section><h2>Ours, in the paper's form</h2>{table(*tables.our_table(one))}"
        "<p class='note'>Percent; captions are CIDEr-D / 10. Mean over seeds ± standard deviation."
        " Figures cannot be compared with the paper's, signs and orders can.</p></section>"
        f"<section><h2>The paper: {escape(one['paper']['source'])}</h2>"
        f"{table(*tables.paper_table(one))}"
        f"<p class='note'>{escape(one['paper']['note'])}</p></section>"
        f"<section><h2>Scores by number of shots</h2>{shot_charts(one, colours)}"
        "<p class='note'>Bands: 95 % intervals over items and seeds (one seed: items of this run)."
        " Dotted: chance.</p></section>"
        f"<section><h2>The base LLM, asked in text</h2>{table(*tables.base_table(one))}"
        f"{controls(one)}</section>"
        f"<section><h2>Training loss</h2>{training_charts(one, colours)}</section>"
        f"<section><h2>What was trained, and what was reused</h2>{timing(one)}"
        f"{table(*tables.stage_table(one))}</section>"
        f"<section><h2>Limits</h2><ul>{notes}</ul></section></article>"
    )


def claims(one: Mapping[str, Any]) -> str:
    """One card per claim."""
    reach = max(
        [5.0] + [abs(v) for c in one["claims"].values() if c["interval"] for v in c["interval"]]
    )
    cards = []
    for key, claim in one["claims"].items():
        word = claim["verdict"]
        colour = COLOURS[word]
        figure = "no scores"
        if claim["interval"] is not None:
            low, high = claim["interval"]
            margin = claim["definition"]["margin"] if claim["kind"] == "equal" else 0.0
            figure = (
                charts.forest(claim["effect"], low, high, reach, margin, colour)
                + f"<span class='figure'>{tables.signed(claim['effect'])}"
                f" <small>[{tables.interval(claim['interval'])}]</small></span>"
            )
        cards.append(
            f'<div class="claim"><p class="verdict" style="--c:{colour}">{SIGNS[word]} {word}</p>'
            f"<div><h3>{escape(claim['text'])}</h3>"
            f"<p class='note'><code>{escape(key)}</code> · {escape(definition(claim))}</p>"
            f"<p class='note'>Paper: {escape(claim['paper'])}</p></div>"
            f"<div class='measure'>{figure}<p class='note'>{escape(claim['reason'])}</p></div>"
            "</div>"
        )
    return "".join(cards)


def definition(claim: Mapping[str, Any]) -> str:
    """A claim's test in words."""
    d = claim["definition"]
    if claim["kind"] == "equal":
        test = f"{d['first']} = {d['second']} within ±{d['margin']:g}, {d['k']} shots"
    elif claim["kind"] == "order":
        test = f"{d['higher']} > {d['lower']}, {d['k']} shots"
    else:
        test = f"gain from {d['k_low']} to {d['k_high']} shots: {d['higher']} > {d['lower']}"
    return f"{d['endpoint']}: {test}"


def legend(one: Mapping[str, Any], colours: Mapping[str, int]) -> str:
    """Arms with their colour, what they change, and the command that repeats them."""
    items = []
    for arm, facts in one["arms"].items():
        colour = charts.PALETTE[colours[arm] % len(charts.PALETTE)]
        failed = (
            f"<p class='failed'>failed: {escape(facts['failed'])}</p>" if facts["failed"] else ""
        )
        items.append(
            f"<div class='arm'><b style='--c:{colour}'>{escape(arm)}</b>"
            f"<div>{escape(facts['title'])}{failed}<pre>{escape(facts['command'])}</pre></div></div>"
        )
    return "".join(items)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself on a narrow screen."""
    if not rows:
        return "<p class='note'>none</p>"
    head = "".join(f"<th scope='col'>{escape(h)}</th>" for h in headings)
    body = "".join(
        "<tr>"
        + f"<th scope='row'>{escape(row[0])}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f"<div class='scroll' tabindex='0'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def shot_charts(one: Mapping[str, Any], colours: Mapping[str, int]) -> str:
    """A chart per task."""
    drawn = []
    for task, arms in one["curves"].items():
        shots = one["tasks"][task]["shots"]
        if len(shots) < 2:
            continue
        curves = {a: [(k, points[str(k)]["mean"]) for k in shots] for a, points in arms.items()}
        bands = {
            a: [(k, points[str(k)]["low"], points[str(k)]["high"]) for k in shots]
            for a, points in arms.items()
        }
        chance = one["tasks"][task]["chance"]
        drawn.append(
            charts.lines(
                tables.label(task),
                curves,
                bands,
                "shots",
                shots,
                colours,
                level=None if chance is None else 100 * chance,
                y_range=(0.0, 100.0),
            )
        )
    return f"<div class='charts'>{''.join(drawn)}</div>"


def training_charts(one: Mapping[str, Any], colours: Mapping[str, int]) -> str:
    """A chart per stage; arms that share a stage share its curve."""
    drawn = []
    for stage, arms in one["training"].items():
        curves = {name: [(x, y) for x, y in points] for name, points in arms.items()}
        own = {name: colours[name.split(",")[0]] for name in arms}
        title = f"{stage}: {' | '.join(arms)}"
        marks = [0.0, 0.5, 1.0]
        drawn.append(charts.lines(title, curves, {}, "share of the budget", marks, own))
    return f"<div class='charts'>{''.join(drawn)}</div>"


def controls(one: Mapping[str, Any]) -> str:
    """Which tasks may carry a claim."""
    lines = []
    for task, facts in one["controls"].items():
        verdict = facts["failed"] or "solved in text: the task may carry a claim"
        lines.append(f"<li>{escape(tables.label(task))}: {escape(verdict)}</li>")
    return f"<ul>{''.join(lines)}</ul>"


def timing(one: Mapping[str, Any]) -> str:
    """What sharing stages saved."""
    t = one["timing"]
    return (
        f"<p>{t['distinct_stages']} distinct stages stand for {t['stages']} of all arms and seeds:"
        f" {t['distinct_seconds'] / 60:.1f} minutes of training instead of"
        f" {t['alone_seconds'] / 60:.1f}. The first seed:</p>"
    )
