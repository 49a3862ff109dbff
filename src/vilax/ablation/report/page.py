"""The report as one HTML page: self-contained, without scripts and without a network."""

from html import escape

from vilax.ablation.report import charts, figures, tables
from vilax.ablation.report.model import ComparisonReport, Report
from vilax.ablation.report.style import CSS
from vilax.ablation.report.tables import Table

PLURAL = {"holds": "hold", "contradicts": "contradicted", "undecided": "undecided"}


def page(report: Report) -> str:
    """The whole page."""
    names = list(report.comparisons)
    body = [comparison(name, report.comparisons[name], report.scale) for name in names]
    links = "".join(f"<a href='#{escape(n)}'>{escape(n)}</a>" for n in names)
    nav = f"<nav aria-label='comparisons'>{links}</nav>" if len(names) > 1 else ""
    versions = ", ".join(f"{name} {value}" for name, value in report.versions.items())
    when = report.generated.replace("T", " ").removesuffix("+00:00")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>vilax: {escape(', '.join(names))} at {escape(report.scale)} scale</title>"
        f"<style>{CSS}</style></head><body>"
        f"<header class='top'><p><b>vilax</b> {escape(report.scale)} scale</p>{nav}</header>"
        f"<main>{''.join(body)}</main>"
        f"<footer><p>Results gathered {escape(when)} UTC. {escape(versions)}.</p></footer>"
        "</body></html>\n"
    )


def comparison(name: str, one: ComparisonReport, scale: str) -> str:
    """One comparison: verdicts first, then the tables and curves that they rest on."""
    return "".join(
        (
            f"<article id='{escape(name)}'>{_head(name, one)}",
            _section("Claims", _claims_note(one), figures.claims(one)),
            _section("Arms", "", legend(one)),
            _section("The paper's table beside ours", "", _tables(one)),
            _section(
                "Scores by number of shots",
                _bands(one),
                f"<div class='charts'>{figures.shot_charts(one, False)}</div>",
            ),
            _base(one) if one.base else "",
            _section(
                "Training loss",
                f"Seed {one.seeds[0]}. Arms that share a stage share its line.",
                f"<div class='charts'>{figures.training_charts(one)}</div>",
            )
            if one.training
            else "",
            _section("What was trained, and what was reused", _sharing_note(one), _trained(one)),
            _section("Limits", "", _list(tables.limits(one, scale))),
            _section("Again", "", _again(one)),
            "</article>",
        )
    )


def _section(title: str, note: str, body: str) -> str:
    lead = f"<p class='note'>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{lead}{body}</section>"


def _head(name: str, one: ComparisonReport) -> str:
    chips = "".join(
        f"<li class='v-{word}{'' if count else ' no'}'><b>{count}</b> {PLURAL[word]}</li>"
        for word, count in tables.verdict_counts(one).items()
    )
    varied = ", ".join(f"<code>{escape(key)}</code>" for key in one.varies)
    seeds = ", ".join(str(seed) for seed in one.seeds)
    facts = (
        ("Arms", f"{len(one.arms)}, differing in {varied} and in nothing else"),
        ("Held equal", f"{escape(one.held_equal)} in every stage"),
        ("Seeds", seeds),
        ("Evaluated", f"after {escape(one.stage)}"),
    )
    listed = "".join(f"<div><dt>{term}</dt><dd>{text}</dd></div>" for term, text in facts)
    return (
        f"<p class='eyebrow'>{escape(name)}</p><h1>{escape(one.title)}</h1>"
        f"<p class='question'>{escape(one.question)}</p>"
        f"<ul class='chips' aria-label='verdicts'>{chips}</ul><dl class='facts'>{listed}</dl>"
    )


def _claims_note(one: ComparisonReport) -> str:
    said = (
        "Effect in points with its 95 % interval; shaded: where the whole interval must lie for the"
        " claim to hold. Items and seeds are crossed random effects. p values are adjusted over all"
        " claims (Holm); equality takes two one-sided tests."
    )
    if len(one.seeds) == 1:
        said += " With one seed, intervals speak of this run only."
    return said


def _bands(one: ComparisonReport) -> str:
    over = "items of this run" if len(one.seeds) == 1 else "items and seeds"
    return f"Percent, with 95 % intervals over {over}."


def legend(one: ComparisonReport) -> str:
    """Arms with their mark, what they change, and the command that repeats them."""
    own = figures.styles(one)
    items = []
    for arm, facts in one.arms.items():
        failed = f"<p class='failed'>{escape(facts.failed)}</p>" if facts.failed else ""
        changed = "".join(
            f"<li><code>{escape(key)}={escape(str(value))}</code></li>"
            for key, value in facts.overrides.items()
        )
        items.append(
            f"<li class='arm'><p class='name s{own[arm]}'>{charts.key(own[arm])}"
            f"<b>{escape(arm)}</b></p><div><h3>{escape(facts.title)}</h3>{failed}"
            f"<ul class='keys'>{changed}</ul><pre tabindex='0' aria-label='command of arm"
            f" {escape(arm)}'>{escape(facts.command)}</pre></div></li>"
        )
    return f"<ul class='arms'>{''.join(items)}</ul>"


def _tables(one: ComparisonReport) -> str:
    spread = "mean over seeds ± standard deviation; bands above: lowest to highest seed"
    if len(one.seeds) == 1:
        spread = "one seed"
    return (
        f"<div class='charts'>{figures.averages(one)}</div>"
        f"<h3>The paper: {escape(one.paper.source)}</h3>"
        f"{table(tables.paper_table(one), 'figures of the paper')}"
        f"<p class='note'>{escape(one.paper.note)}</p>"
        f"<h3>Ours</h3>{table(tables.our_table(one), 'our figures')}"
        f"<p class='note'>Percent by number of shots; {spread}."
        f" Average: {escape(', '.join(map(tables.label, _averaged(one))))}."
        f" Metrics: {escape(tables.metrics(one))}.</p>"
    )


def _averaged(one: ComparisonReport) -> tuple[str, ...]:
    return next(iter(one.endpoints.values())).tasks


def _base(one: ComparisonReport) -> str:
    note = (
        "Positive control: a task on pictures may carry a claim only if the base LLM solves it in"
        " text. Grey: the base LLM before it saw a picture; colours: the arms' weights at the end."
    )
    body = (
        f"{_list(tables.control_lines(one))}"
        f"<div class='charts'>{figures.shot_charts(one, True)}</div>"
        f"{table(tables.base_table(one), 'base LLM asked in text')}"
    )
    return _section("The base LLM, asked in text", note, body)


def _sharing_note(one: ComparisonReport) -> str:
    t = one.timing
    return (
        f"{t.stages} stages of all arms and seeds are {t.distinct_stages} distinct ones:"
        f" {t.distinct_seconds / 60:.1f} minutes of training instead of"
        f" {t.alone_seconds / 60:.1f}, and {t.evaluation_seconds / 60:.1f} of evaluation."
    )


def _trained(one: ComparisonReport) -> str:
    return (
        f"{figures.sharing(one)}"
        f"<details><summary>Tokens, documents and images of each stage</summary>"
        f"{table(tables.count_table(one), 'what each stage saw')}"
        f"<p class='note'>First seed. * held equal.</p></details>"
    )


def _again(one: ComparisonReport) -> str:
    return (
        "<p>The whole comparison; what is stored is not trained again:</p>"
        f"<pre tabindex='0' aria-label='command of the comparison'>{escape(one.command)}</pre>"
        "<p class='note'>All figures of this page are in report.json beside it. Every prompt,"
        " answer and score is kept in the store; <code>vilax store show</code> finds it by"
        " identity.</p>"
    )


def _list(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def table(content: Table, name: str) -> str:
    """A table that scrolls by itself on a narrow screen."""
    if not content.rows:
        return "<p class='note'>none</p>"
    spans = "".join(
        f"<th scope='colgroup' colspan='{count}'>{escape(text)}</th>"
        if text
        else f"<td colspan='{count}'></td>"
        for text, count in content.groups
    )
    starts = {sum(n for _, n in content.groups[:i]) for i in range(1, len(content.groups))}
    head = "".join(
        f"<th scope='col'{_edge(i in starts)}>{escape(text)}</th>"
        for i, text in enumerate(content.headings)
    )
    body = "".join(
        f"<tr><th scope='row'>{escape(row[0])}</th>"
        + "".join(f"<td{_edge(i in starts)}>{escape(cell)}</td>" for i, cell in enumerate(row) if i)
        + "</tr>"
        for row in content.rows
    )
    above = f"<tr class='groups'>{spans}</tr>" if spans else ""
    return (
        f"<div class='scroll' tabindex='0' role='region' aria-label='{escape(name)}'><table>"
        f"<thead>{above}<tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _edge(is_start: bool) -> str:
    return " class='edge'" if is_start else ""
