"""The report as Markdown, for a pull request or a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from vilax.ablation.report import tables
from vilax.ablation.report.page import definition


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    parts = [f"# vilax, {report['scale']} scale\n\nWritten {report['generated']}.\n"]
    for name, one in report["comparisons"].items():
        parts.append(_comparison(name, one))
    return "\n".join(parts)


def _comparison(name: str, one: Mapping[str, Any]) -> str:
    lines = [f"## {one['title']} (`{name}`)", "", one["question"], ""]
    lines.append(f"Seeds {one['seeds']}; claims: {tables.verdict_counts(one)}.")
    rows = [
        [
            claim["verdict"],
            claim["text"],
            definition(claim),
            claim["paper"],
            tables.signed(claim["effect"]),
            tables.interval(claim["interval"]),
            claim["reason"],
        ]
        for claim in one["claims"].values()
    ]
    headings = ["verdict", "claim", "test", "paper", "effect", "95 % interval", "reason"]
    lines += ["", *_table(headings, rows)]
    lines += ["", "### Ours", "", *_table(*tables.our_table(one))]
    lines += ["", f"### {one['paper']['source']}", "", *_table(*tables.paper_table(one))]
    lines += ["", one["paper"]["note"], "", "### The base LLM, asked in text", ""]
    lines += _table(*tables.base_table(one))
    lines += ["", "### Stages, first seed", "", *_table(*tables.stage_table(one))]
    lines += ["", "### Commands", ""]
    lines += [f"- {arm}: `{facts['command']}`" for arm, facts in one["arms"].items()]
    lines += ["", "### Limits", "", *(f"- {line}" for line in tables.limits(one)), ""]
    return "\n".join(lines)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    clean = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    return lines + ["| " + " | ".join(row) + " |" for row in clean]
