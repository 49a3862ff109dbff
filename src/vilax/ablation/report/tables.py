"""Tables and sentences that all forms of the report share."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from vilax.ablation.claims import SEEDS_NEEDED
from vilax.ablation.report.model import ClaimReport, ComparisonReport, StageReport

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
    def flat(self) -> list[str]:
        """Headings with their group in front, for a table without spans."""
        if not self.groups:
            return list(self.headings)
        names = [name for name, count in self.groups for _ in range(count)]
        return [f"{n} {h}".strip() for n, h in zip(names, self.headings, strict=True)]


def label(task: str) -> str:
    """A task's name for people."""
    return task.replace("_", " ")


def number(value: float | None) -> str:
    """A figure with one digit, or a dash where there is none."""
    return "–" if value is None else f"{value:.1f}"  # noqa: RUF001


def signed(value: float | None) -> str:
    """A difference with its sign."""
    return "–" if value is None else f"{value:+.1f}".replace("-", "−")  # noqa: RUF001


def between(ends: tuple[float, float] | None) -> str:
    """An interval as text."""
    return "–" if ends is None else f"{signed(ends[0])} to {signed(ends[1])}"  # noqa: RUF001


def spread(values: Sequence[float]) -> str:
    """Mean, with the standard deviation over seeds where there are several."""
    if not values:
        return number(None)
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


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
    """Numbers of shots that claims speak of."""
    return sorted({k for claim in one.claims.values() for k in claim.shots} or {0})


def our_table(one: ComparisonReport) -> Table:
    """Our figures in the paper's form: every task with pictures and the average, in percent."""
    shots = shown_shots(one)
    names, headings = [("", 1)], ["arm"]
    picks: list[tuple[str, list[int]]] = []
    for task, facts in one.tasks.items():
        ks = [k for k in shots if k in facts.shots]
        if ks and not facts.is_text:
            picks.append((task, ks))
            names.append((label(task), len(ks)))
            headings += [str(k) for k in ks]
    main = next(iter(one.endpoints))
    names.append(("average", len(shots)))
    headings += [str(k) for k in shots]
    rows = []
    for arm, facts_of_arm in one.arms.items():
        seeds = list(facts_of_arm.seeds.values())
        cells = [arm]
        for task, ks in picks:
            for k in ks:
                found = [seed.tasks.get(task, {}).get(str(k)) for seed in seeds]
                cells.append(spread([100 * value for value in found if value is not None]))
        for k in shots:
            found = [seed.endpoints.get(main, {}).get(str(k)) for seed in seeds]
            cells.append(spread([value for value in found if value is not None]))
        rows.append(cells)
    return Table(headings, rows, names)


def metrics(one: ComparisonReport) -> str:
    """Which metric scores which task with pictures."""
    shown = {task: facts.metric for task, facts in one.tasks.items() if not facts.is_text}
    return ", ".join(f"{label(task)}: {label(metric)}" for task, metric in shown.items())


def claim_table(one: ComparisonReport) -> Table:
    """Claims with their verdicts."""
    headings = ["verdict", "claim", "test", "paper", "effect", "95 % interval", "reason"]
    rows = [
        [
            claim.verdict,
            claim.text,
            definition(claim),
            claim.paper,
            signed(claim.effect),
            between(claim.interval),
            claim.reason,
        ]
        for claim in one.claims.values()
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


def definition(claim: ClaimReport) -> str:
    """A claim's test in words."""
    beyond = f" by more than {claim.margin:g}" if claim.margin else ""
    (weight, first, k), (_, second, _), *others = claim.terms
    at = f" at {k} shots" if claim.shots else ""
    if claim.kind == "equal":
        test = f"{first} = {second} within ±{claim.margin:g}{at}"
    elif claim.kind == "gain":
        low, high = claim.shots
        change = "rises" if weight > 0 else "falls"
        test = f"{first} {change} from {low} to {high} shots{beyond}"
    elif not others:
        test = f"{first} > {second}{beyond}{at}"
    elif len(claim.shots) > 1:
        low, high = claim.shots
        test = f"gain from {low} to {high} shots, {first} > {others[0][1]}{beyond}"
    else:
        less, base = others[0][1], others[1][1]
        test = f"{first} - {second} > {less} - {base}{beyond}{at}"
    return f"{label(claim.endpoint)}: {test}"


def verdict_counts(one: ComparisonReport) -> dict[str, int]:
    """How many claims hold, are contradicted, and are undecided."""
    words: list[str] = [claim.verdict for claim in one.claims.values()]
    return {word: words.count(word) for word in WORDS}


def _same_for_all_seeds(one: ComparisonReport) -> list[str]:
    """Stages that have one result over all arms and seeds."""
    found: dict[str, set[str]] = {}
    for arm in one.arms.values():
        for stage in arm.stages:
            found.setdefault(stage.name, set()).add(stage.identity)
    return [name for name, identities in found.items() if len(identities) == 1]


def limits(one: ComparisonReport, scale: str) -> list[str]:
    """What a reader must know before leaning on the figures."""
    seeds = len(one.seeds)
    found = []
    if seeds < SEEDS_NEEDED:
        what = "1 seed: intervals are over items alone" if seeds == 1 else f"{seeds} seeds"
        found.append(f"{what}. No claim is decided below {SEEDS_NEEDED} seeds.")
    if scale == "micro":
        found.append(
            "Micro scale: a language model of about a million weights and drawings for pictures."
            " Orders and signs can be held against the paper's, figures cannot."
        )
    shared = _same_for_all_seeds(one)
    if shared and seeds > 1:
        found.append(
            f"Seeds do not vary {', '.join(shared)}: all start from one result, as from a"
            " downloaded model. They vary what is trained after it, data order and shots."
        )
    if one.tuning == "shared":
        found.append("Settings were tuned once for all arms, not for each.")
    found += [f"Not held equal: {sentence}." for sentence in one.unequal]
    found += [
        f"{label(task)} carries no claim: {facts.failed}."
        for task, facts in one.controls.items()
        if facts.failed
    ]
    found += [f"{line}." for line in one.calibration]
    found += [f"Arm {arm} is incomplete: {f.failed}." for arm, f in one.arms.items() if f.failed]
    return found
