"""CSV and LaTeX read back as the figures that were written."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ablation.report.samples import collected
from vilax.ablation.report.content import content
from vilax.ablation.report.exports import comparison_csv, comparison_latex, latex, table_csv
from vilax.ablation.report.learned import training_table
from vilax.ablation.report.model import ComparisonReport
from vilax.ablation.report.tables import Table, our_table, paper_table


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> ComparisonReport:
    report = content([collected(tmp_path_factory.mktemp("exports"), (0, 1))], "micro")
    return report.comparisons["freezing"]


def test_every_figure_of_the_csv_reads_back(one: ComparisonReport) -> None:
    rows = list(csv.DictReader(io.StringIO(comparison_csv(one))))
    by_part: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_part.setdefault(row["part"], []).append(row)
    for row in by_part["claim"]:
        claim = one.claims[row["name"]]
        assert claim.interval is not None
        assert float(row["value"]) == claim.effect
        assert (float(row["low"]), float(row["high"])) == claim.interval
        assert float(row["p_holm"]) == claim.p_adjusted
        assert row["text"] == claim.verdict
    assert len(by_part["claim"]) == len(one.claims)
    for row in by_part["score"]:
        value = one.arms[row["arm"]].seeds[row["seed"]].tasks[row["name"]][row["x"]]
        assert float(row["value"]) == value
    assert len(by_part["score"]) == 4 * 2 * 4 * 4
    paper = {(row["arm"], row["name"]): row["value"] for row in by_part["paper"]}
    assert float(paper["b", "COCO 0"]) == 109.4
    for row in by_part["measure"]:
        if row["name"].startswith("training loss ") and row["arm"] in one.arms:
            stage = row["name"].removeprefix("training loss ")
            losses = one.arms[row["arm"]].measures[row["seed"]].training_loss
            assert float(row["value"]) == losses[stage]
    names = [row["name"] for row in by_part["measure"]]
    assert names.count("training loss pretrain") == 4 * 2
    points = [row for row in by_part["measure"] if row["name"] == "alignment"]
    assert len(points) == (4 + 1) * 2 * 7
    loss = [row for row in by_part["training"] if row["name"] == "sft"]
    assert sum(len(points) for points in one.training["sft"].values()) == len(loss)


def cells(text: str) -> list[list[str]]:
    """Rows of LaTeX tables, as a reader of the paper sees them."""
    found = []
    for line in text.splitlines():
        if line.endswith("\\\\") and "multicolumn" not in line:
            parts = re.split(r"(?<!\\)&", line.removesuffix("\\\\"))
            found.append([plain(part.strip()) for part in parts])
    return found


def plain(text: str) -> str:
    for written, meant in (
        (r"\ensuremath{-}", "\N{MINUS SIGN}"),
        (r"\ensuremath{\pm}", "±"),
        (r"\ensuremath{<}", "<"),
        (r"\ensuremath{>}", ">"),
        (r"\textbackslash{}", "\0"),
        (r"\textasciitilde{}", "~"),
        (r"\textasciicircum{}", "^"),
        (r"\textbar{}", "|"),
        (r"\textquotedbl{}", '"'),
        (r"\ldots{}", "…"),
        ("--", "\N{EN DASH}"),
    ):
        text = text.replace(written, meant)
    return re.sub(r"\\([&%$#_{}])", r"\1", text).replace("\0", "\\")


def test_latex_tables_read_back(one: ComparisonReport) -> None:
    rows = cells(comparison_latex("freezing", one))
    for table in (paper_table(one), our_table(one), training_table(one)):
        assert table.rows
        for row in table.rows:
            assert list(row) in rows
    text = comparison_latex("freezing", one)
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") >= 5
    assert text.isascii() or not re.search(r"[−±–]", text)  # noqa: RUF001


@given(
    st.lists(
        st.text(st.characters(exclude_categories=("C", "Z")), max_size=8), min_size=2, max_size=4
    )
)
def test_any_text_survives_both(names: list[str]) -> None:
    table = Table(names, [names])
    assert list(csv.reader(io.StringIO(table_csv(table)))) == [names, names]
    if not any("--" in name or name.endswith("-") for name in names):
        assert cells(latex(table, "x"))[0] == names


def test_groups_stand_before_their_columns_in_csv() -> None:
    table = Table(["arm", "0", "4"], [["a", "1.0", "2.0"]], [("", 1), ("COCO", 2)])
    assert table_csv(table).splitlines()[0] == "arm,COCO 0,COCO 4"
    assert "\\multicolumn{2}{c}{COCO}" in latex(table, "x")
