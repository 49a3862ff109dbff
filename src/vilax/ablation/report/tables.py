"""Tables and sentences that all forms of the report share."""

from collections.abc import Sequence
from dataclasses import dataclass

from vilax.ablation.report.model import ClaimReport, ComparisonReport, StageReport
from vilax.ablation.report.wording import (
    between,
    definition,
    digits,
    label,
    number,
    p_value,
    signed,
    spread,
)

WORDS = ("holds", "contradicts", "undecided")


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        groups: headings that span columns: text and number of columns; empty: none.
        headings: one per column.
        rows: cells; the first names the row.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    groups: Sequence[tuple[str, int]] = ()

    @property
    def starts(self) -> set[int]:
        """Columns at which a group begins."""
        return {sum(n for _, n in self.groups[:i]) for i in range(1, len(self.groups))}

    @property
    def flat(self) -> list[str]:
        """Headings with their group in front, for a table without spans."""
        if not self.groups:
            return list(self.headings)
        names = [name for name, count in self.groups for _ in range(count)]
        return [f"{n} {h}".strip() for n, h in zip(names, self.headings, strict=True)]


def paper_table(one: ComparisonReport) -> Table:
    """The paper's figures; columns such as ``COCO 0``, ``COCO 4`` come under one heading."""
    split = [column.rpartition(" ") for column in one.paper.columns]
    names = [name if last.isdigit() and name else "" for name, _, last in split]
    rows = [
        [arm, *(cell if isinstance(cell, str) else number(cell) for cell in cells)]
        for arm, cells in one.paper.rows.items()
    ]
    if not names or not all(names):
        return Table(["arm", *one.paper.columns], rows)
    return Table(["arm", *(last for _, _, last in split)], rows, [("", 1), *_runs(names)])


def _runs(names: Sequence[str]) -> list[tuple[str, int]]:
    runs: list[tuple[str, int]] = []
    for name in names:
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + 1)
        else:
            runs.append((name, 1))
    return runs


def shown_shots(one: ComparisonReport) -> list[int]:
    """Numbers of shots that claims speak of; without claims all that were asked."""
    said = {k for claim in one.claims.values() for k in claim.shots}
    asked = {k for facts in one.tasks.values() if not facts.is_text for k in facts.shots}
    return sorted(said or asked or {0})


def our_table(one: ComparisonReport) -> Table:
    """Our figures in the paper's form: every task with pictures and the average (``unit_note``).

    Rows come in the paper's order, arms that it does not have behind them.
    """
    shots = shown_shots(one)
    names, headings = [("", 1)], ["arm"]
    picks: list[tuple[str, list[int]]] = []
    for task, facts in one.tasks.items():
        ks = [k for k in shots if k in facts.shots]
        if ks and not facts.is_text:
            picks.append((task, ks))
            names.append((label(task), len(ks)))
            headings += [str(k) for k in ks]
    main = next((name for name, endpoint in one.endpoints.items() if endpoint.tasks), "")
    if not one.tasks:
        # Nothing is evaluated yet: the rows stand open.
        shots, main = [], ""
    if not picks and not main:
        names, headings = [("", 1), ("", 1)], ["arm", "scores"]
    if main:
        names.append(("average", len(shots)))
        headings += [str(k) for k in shots]
    rows = []
    for arm in dict.fromkeys([*(a for a in one.paper.rows if a in one.arms), *one.arms]):
        seeds = list(one.arms[arm].seeds.values())
        cells = [arm]
        for task, ks in picks:
            for k in ks:
                found = [seed.figures.get(task, {}).get(str(k)) for seed in seeds]
                cells.append(spread([value for value in found if value is not None]))
        for k in shots if main else ():
            found = [seed.endpoints.get(main, {}).get(str(k)) for seed in seeds]
            cells.append(spread([value for value in found if value is not None]))
        rows.append(cells + [number(None)] * (len(headings) - len(cells)))
    for arm in one.open_arms:
        rows.append([arm, *[number(None)] * (len(headings) - 1)])
    return Table(headings, rows, names)


def unit_note(one: ComparisonReport) -> str:
    """What the figures of ``our_table`` are counted in."""
    scales = {facts.scale for facts in one.tasks.values() if not facts.is_text}
    return "percent" if scales <= {100.0} else "each as papers print it"


def metrics(one: ComparisonReport) -> str:
    """Which metric scores which task with pictures, and its largest figure if that is not 100."""
    shown = {task: facts for task, facts in one.tasks.items() if not facts.is_text}
    return ", ".join(
        f"{label(task)}: {label(facts.metric)}"
        + ("" if facts.scale == 100 else f", of {facts.scale:g}")
        for task, facts in shown.items()
    )


def claim_table(one: ComparisonReport) -> Table:
    """Claims with their verdicts."""
    headings = ["verdict", "claim", "test", "paper", "effect", "95 % interval", "reason"]
    rows = [
        [
            claim.verdict,
            claim.text,
            definition(claim),
            claim.paper,
            signed(claim.effect, digits(one, claim)),
            between(claim.interval, digits(one, claim)),
            claim.reason,
        ]
        for claim in one.claims.values()
    ]
    return Table(headings, rows)


def forest_table(claims: Sequence[ClaimReport], unit: str) -> Table:
    """Effects with their unadjusted intervals and p values."""
    places = 1 if unit == "points" else 3
    headings = ["claim", f"effect, {unit}", "95 % interval", "p", "Holm p", "paper", "verdict"]
    rows = [
        [
            claim.text,
            signed(claim.effect, places),
            between(claim.interval, places),
            p_value(claim.p),
            p_value(claim.p_adjusted),
            signed(claim.paper_effect, places),
            claim.verdict,
        ]
        for claim in claims
    ]
    return Table(headings, rows)


def stages_of(one: ComparisonReport, arm: str) -> list[StageReport]:
    """An arm's stages at the first seed that it has."""
    stages = one.arms[arm].stages
    first = min((stage.seed for stage in stages), default=0)
    return [stage for stage in stages if stage.seed == first]


def count_table(one: ComparisonReport) -> Table:
    """What each stage of each arm saw and took at the first seed; the held-equal one starred."""
    counts = ("tokens", "supervised", "documents", "images")
    named = [f"{count} *" if count == one.held_equal else count for count in counts]
    rows = [
        [
            f"{arm} {stage.name}",
            *(f"{getattr(stage, count):,}" for count in counts),
            f"{stage.seconds:,.0f} s",
            "reused" if stage.reused else "trained",
            stage.identity[:8],
        ]
        for arm in one.arms
        for stage in stages_of(one, arm)
    ]
    return Table(["arm, stage", *named, "training", "this call", "identity"], rows)


def base_table(one: ComparisonReport) -> Table:
    """The base LLM on tasks asked in text, in percent by shots."""
    shots = sorted({int(k) for points in one.base.values() for k in points})
    rows = [
        [label(task), *(number(points[str(k)].mean) if str(k) in points else "" for k in shots)]
        for task, points in one.base.items()
    ]
    return Table(["task", *map(str, shots)], rows, [("", 1), ("shots", len(shots))])


def control_lines(one: ComparisonReport) -> list[str]:
    """Which tasks may carry a claim."""
    return [
        f"{label(task)}: {facts.failed or 'solved in text, may carry a claim'}"
        for task, facts in one.controls.items()
    ]


def verdict_counts(one: ComparisonReport) -> dict[str, int]:
    """How many claims hold, are contradicted, and are undecided."""
    words: list[str] = [claim.verdict for claim in one.claims.values()]
    return {word: words.count(word) for word in WORDS}


def proof_table(one: ComparisonReport) -> Table:
    """Keys in which arms differ, with the declared key that covers each."""
    if one.proof is None:
        return Table([], [])
    arms = list(one.arms)
    rows = [
        [
            found.key,
            *(_value(found.values.get(arm)) for arm in arms),
            found.declared or "NOT DECLARED",
        ]
        for found in one.proof.differences
    ]
    return Table(["key", *arms, "declared as"], rows)


def budget_table(one: ComparisonReport) -> Table:
    """What each stage may use, in the arms that have it."""
    if one.proof is None:
        return Table([], [])
    arms = list(one.arms)
    rows = [
        [
            f"{found.stage}, {found.unit}",
            *(_value(found.values.get(arm)) for arm in arms),
            "equal" if found.is_equal else "NOT EQUAL",
        ]
        for found in one.proof.budgets
    ]
    return Table(["budget", *arms, ""], rows)


def _value(value: object) -> str:
    if value is None:
        return number(None)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
