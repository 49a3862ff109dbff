"""A comparison's figures as CSV and LaTeX: whole, in files of their own, and table by table."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from vilax.ablation.report import learned, tables
from vilax.ablation.report.measured import Measured
from vilax.ablation.report.model import ComparisonReport
from vilax.ablation.report.tables import Table

COLUMNS = ("part", "arm", "seed", "name", "x", "value", "low", "high", "p", "p_holm", "text")
"""Columns of the CSV of a comparison: one figure a row. ``x`` is the number of shots, a layer, a
place in the document, a number of pictures or of supervised tokens."""

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "±": r"\ensuremath{\pm}",
    "\N{EN DASH}": "--",
    "…": r"\ldots{}",
}

Row = dict[str, Any]


def comparison_csv(one: ComparisonReport) -> str:
    """Every figure of a comparison, unrounded, one a row."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(one))
    return file.getvalue()


def _rows(one: ComparisonReport) -> Iterator[Row]:
    for name, claim in one.claims.items():
        low, high = claim.interval or (None, None)
        figures = {"value": claim.effect, "low": low, "high": high}
        tested = {"p": claim.p, "p_holm": claim.p_adjusted, "text": claim.verdict}
        yield {"part": "claim", "name": name} | figures | tested
        yield {"part": "paper claim", "name": name, "value": claim.paper_effect} | {
            "text": claim.paper
        }
    for arm, cells in one.paper.rows.items():
        for column, cell in zip(one.paper.columns, cells, strict=False):
            kind = "text" if isinstance(cell, str) else "value"
            yield {"part": "paper", "arm": arm, "name": column, kind: cell}
    for arm, facts in one.arms.items():
        for seed, scores in facts.seeds.items():
            place = {"arm": arm, "seed": seed}
            for part, found in (("score", scores.tasks), ("endpoint", scores.endpoints)):
                for name, by_k in found.items():
                    for k, value in by_k.items():
                        yield place | {"part": part, "name": name, "x": k, "value": value}
        for stage in facts.stages:
            row: Row = {"part": "stage", "arm": arm, "seed": stage.seed}
            row["text"] = "reused" if stage.reused else "trained"
            for count in ("tokens", "supervised", "documents", "images", "seconds"):
                yield row | {"name": f"{stage.name} {count}", "value": getattr(stage, count)}
        for seed, measured in facts.measures.items():
            yield from _measures(arm, seed, measured)
    for arms, seeds in one.base_measures.items():
        for seed, measured in seeds.items():
            yield from _measures(f"untouched LLM ({arms})", seed, measured)
    for task, by_arm in one.curves.items():
        for arm, points in by_arm.items():
            for k, point in points.items():
                yield {"part": "curve", "arm": arm, "name": task, "x": k} | {
                    "value": point.mean,
                    "low": point.low,
                    "high": point.high,
                }
    for stage_name, lines in one.training.items():
        for arms, curve in lines.items():
            for tokens, loss in curve:
                yield {"part": "training", "arm": arms, "name": stage_name, "x": tokens} | {
                    "value": loss
                }


def _measures(arm: str, seed: str, found: Measured) -> Iterator[Row]:
    place = {"part": "measure", "arm": arm, "seed": seed}
    series: list[tuple[str, Sequence[float], Sequence[float | None]]] = []
    if found.alignment is not None:
        series.append(("alignment", found.alignment.layers, found.alignment.values))
    if found.loss_by_position is not None:
        by_position = found.loss_by_position
        series.append(("loss by position", by_position.edges, by_position.loss))
    if found.loss_by_images is not None:
        series.append(("loss by images", found.loss_by_images.images, found.loss_by_images.loss))
    for name, xs, ys in series:
        for x, y in zip(xs, ys, strict=False):
            yield place | {"name": name, "x": x, "value": y}
    if found.text_drift is not None:
        yield place | {"name": "perplexity", "value": found.text_drift.perplexity}
        yield place | {"name": "base perplexity", "value": found.text_drift.base_perplexity}
    for corpus, held_out in found.held_out.items():
        yield place | {"name": f"held out {corpus}", "value": held_out.loss}
    for stage, loss in found.training_loss.items():
        yield place | {"name": f"training loss {stage}", "value": loss}


def comparison_latex(name: str, one: ComparisonReport) -> str:
    """The tables of a comparison, for a paper that loads booktabs."""
    parts = {
        "Claims": tables.claim_table(one),
        f"The paper: {one.paper.source}": tables.paper_table(one),
        f"Ours, {tables.unit_note(one)}, by number of shots": tables.our_table(one),
        "Perplexity on text": learned.drift_table(one),
        "Held-out loss by corpus": learned.held_out_table(one),
        learned.TRAINING_TITLE: learned.training_table(one),
        "What each stage saw and took": tables.count_table(one),
    }
    head = f"% {' '.join(f'{name}: {one.title}'.split())}\n% \\usepackage{{booktabs}}\n"
    written = [latex(table, title) for title, table in parts.items() if table.rows]
    return "\n".join([head, *written])


def table_csv(table: Table) -> str:
    """A table as it is shown."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([table.flat, *table.rows])
    return file.getvalue()


def latex(table: Table, caption: str) -> str:
    """A table as it is shown, with booktabs' rules."""
    columns = "l" + "r" * (len(table.headings) - 1)
    lines = ["\\begin{table}", f"\\caption{{{_tex(caption)}}}", f"\\begin{{tabular}}{{{columns}}}"]
    lines.append("\\toprule")
    if table.groups:
        spans = [
            f"\\multicolumn{{{count}}}{{c}}{{{_tex(text)}}}" if count > 1 else _tex(text)
            for text, count in table.groups
        ]
        lines.append(f"{' & '.join(spans)} \\\\")
    lines += [_line(table.headings), "\\midrule", *map(_line, table.rows)]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""])


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(map(_tex, cells))} \\\\"


def _tex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))
