"""Which arms share which stages, and what each arm cost."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from vilax.ablation.progress import clock
from vilax.ablation.report.model import ComparisonReport, SavedReport, Savings
from vilax.ablation.report.tables import Table, stages_of
from vilax.ablation.savings import total


@dataclass(frozen=True)
class Cell:
    """A stage of one arm, or of several arms below each other that share it.

    Attributes:
        text: where it came from.
        identity: first digits of its identity; empty where it was not done.
        css: class of the cell.
        span: number of arms.
    """

    text: str
    identity: str
    css: str
    span: int = 1


@dataclass(frozen=True)
class Sharing:
    """Arms by stage, at the first seed.

    Attributes:
        stages: names of the stages.
        rows: arm to the cells that begin in its row.
    """

    stages: list[str]
    rows: list[tuple[str, list[Cell]]]


def sharing(one: ComparisonReport) -> Sharing:
    """Arms by stage: a stage that arms share is one cell."""
    by_arm = {arm: {s.name: s for s in stages_of(one, arm)} for arm in one.arms}
    names = list(dict.fromkeys(name for stages in by_arm.values() for name in stages))
    arms = list(by_arm)
    rows = []
    for row, arm in enumerate(arms):
        cells = []
        for name in names:
            stage = by_arm[arm].get(name)
            if stage is None:
                cells.append(Cell("not done", "", "none"))
                continue
            same = [name in by_arm[a] and by_arm[a][name].identity == stage.identity for a in arms]
            if row and same[row - 1]:
                continue
            span = next((i for i in range(row, len(arms)) if not same[i]), len(arms)) - row
            earlier = next((arms[i] for i in range(row) if same[i]), "")
            how = "from the store" if stage.reused else f"trained, {stage.seconds:,.0f} s"
            text = f"the same as {earlier}" if earlier else how
            css = "stored" if stage.reused else "trained"
            cells.append(Cell(text, stage.identity[:8], css, span))
        rows.append((arm, cells))
    return Sharing(names, rows)


def cost_table(one: ComparisonReport) -> Table:
    """What each arm saw and took over all seeds, and how much of it was reused."""
    rows = [
        [
            arm,
            f"{facts.tokens:,}",
            f"{facts.seconds:,.0f} s",
            f"{sum(s.seconds for s in facts.stages if not s.reused):,.0f} s",
            str(facts.stages_trained),
            str(facts.stages_reused),
        ]
        for arm, facts in one.arms.items()
    ]
    headings = ["arm", "tokens", "alone", "trained for it", "stages trained", "stages reused"]
    return Table(headings, rows)


def saved(comparisons: Mapping[str, ComparisonReport]) -> Savings | None:
    """What sharing saved over comparisons together; None where nothing was run."""
    bases = {one.control_stage for one in comparisons.values()} - {""}
    every = _saved(comparisons, ())
    if not every.wanted:
        return None
    return Savings(
        every=every,
        without_base=_saved(comparisons, bases),
        base_stages=tuple(sorted(bases)),
    )


def saved_table(found: Savings) -> Table:
    """Work with the store and without, and once more with the base LLM's stage left out."""
    names = ", ".join(found.base_stages)
    rows = [("all", found.every)] + ([(f"{names} left out", found.without_base)] if names else [])
    return Table(
        ["", "results", "distinct", "without the store", "with it", "of it"],
        [
            [
                name,
                f"{one.wanted:,}",
                f"{one.distinct:,}",
                clock(one.apart),
                clock(one.shared),
                f"{100 * one.shared / one.apart:.0f} %" if one.apart else "-",
            ]
            for name, one in rows
        ],
    )


def _saved(comparisons: Mapping[str, ComparisonReport], without: Collection[str]) -> SavedReport:
    found: list[tuple[str, float]] = []
    for comparison in comparisons.values():
        for arm in comparison.arms.values():
            kept = [stage for stage in arm.stages if stage.name not in without]
            found += [(f"stage:{one.identity}", one.seconds) for one in kept]
            evaluations = arm.evaluations.values()
            found += [(f"evaluation:{one.identity}", one.seconds) for one in evaluations]
    return SavedReport(**vars(total(found)))
