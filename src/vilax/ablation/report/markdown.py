"""The report as Markdown, for a pull request or a terminal."""

from collections.abc import Sequence

from vilax.ablation.report import learned, sharing, tables
from vilax.ablation.report.limits import limits
from vilax.ablation.report.model import ComparisonReport, Report
from vilax.ablation.report.tables import Table


def markdown(report: Report) -> str:
    """The whole report."""
    parts = [f"# vilax, {_text(report.scale)} scale\n\nResults gathered {report.generated}.\n"]
    for name, one in report.comparisons.items():
        parts.append(_comparison(name, one, report.scale))
    if report.savings is not None:
        parts += ["## What sharing saved\n", *_table(sharing.saved_table(report.savings)), ""]
    if report.open:
        parts += ["## Not run\n", *_open(report), ""]
    versions = ", ".join(f"{name} {value}" for name, value in report.versions.items())
    return "\n".join([*parts, _text(versions)]) + "\n"


def _open(report: Report) -> list[str]:
    lines = []
    for one in report.open.values():
        lines.append(
            f"- **{_text(one.title)}** ({_text(one.state_reason)}): `{_code(one.command)}`"
        )
        lines += [f"  - {_text(c.text)} Paper: {_text(c.paper)}" for c in one.claims.values()]
    return lines


def _comparison(name: str, one: ComparisonReport, scale: str) -> str:
    counts = ", ".join(f"{n} {word}" for word, n in tables.verdict_counts(one).items() if n)
    seeds = ", ".join(str(seed) for seed in one.seeds)
    lines = [f"## {_text(one.title)} (`{_code(name)}`)", "", _text(one.question), ""]
    gathered = f" Gathered {_text(one.generated)}." if one.generated else ""
    lines += [f"Claims: {counts or 'none'}. Seeds: {seeds}.{gathered}", ""]
    lines += _table(tables.claim_table(one))
    lines += ["", "### Ours", "", *_table(tables.our_table(one)), ""]
    unit = tables.unit_note(one).capitalize()
    lines += [f"{unit}; mean over seeds ± standard deviation.", _text(tables.metrics(one)), ""]
    if one.paper.rows:
        lines += [f"### The paper: {_text(one.paper.source)}", "", *_table(tables.paper_table(one))]
        lines += ["", _text(one.paper.note), ""]
    if one.base:
        lines += ["### The base LLM, asked in text", "", *_table(tables.base_table(one)), ""]
        lines += [*(f"- {_text(line)}" for line in tables.control_lines(one)), ""]
    measured = {
        "Perplexity on text": learned.drift_table(one),
        "Held-out loss by corpus": learned.held_out_table(one),
        learned.TRAINING_TITLE: learned.training_table(one),
    }
    for title, table in measured.items():
        if table.rows:
            lines += [f"### {title}", "", *_table(table), ""]
    lines += ["### What each stage saw", "", *_table(tables.count_table(one)), ""]
    lines += [f"\\* held equal. {_sharing(one)}", "", "### Arms", ""]
    for arm, facts in one.arms.items():
        lines += [f"- **{_text(arm)}** {_text(facts.title)}", f"  `{_code(facts.command)}`"]
    lines += ["", "### Limits", "", *(f"- {_text(x)}" for x in limits(one, scale))]
    lines += ["", "### Again", "", f"`{_code(one.command)}`", ""]
    return "\n".join(lines)


def _sharing(one: ComparisonReport) -> str:
    t = one.timing
    return (
        f"{t.stages} stages of all arms and seeds are {t.distinct_stages} distinct ones:"
        f" {t.distinct_seconds / 60:.1f} minutes of training instead of"
        f" {t.alone_seconds / 60:.1f}."
    )


def _table(table: Table) -> list[str]:
    if not table.rows:
        return ["none"]
    lines = [_row(table.flat), _row(["---"] * len(table.headings))]
    return lines + [_row(row) for row in table.rows]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _text(text: str) -> str:
    """Text in which nothing is markup."""
    for sign in "\\`*_[]|":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("<", "&lt;").split())


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())
