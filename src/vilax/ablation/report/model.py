"""What ``report.json`` holds: every key, its type and unit; keys that are not here are refused."""

from typing import Any, Literal

from pydantic import Field

from vilax.ablation.claims import Word
from vilax.ablation.report.evidence import Examples, ProofReport
from vilax.ablation.report.measured import Measured
from vilax.ablation.report.part import Part


class Point(Part):
    """A mean with its 95 % interval, on its task's scale."""

    mean: float
    low: float
    high: float


class StageReport(Part):
    """One stage of one arm at one seed."""

    name: str
    seed: int
    identity: str
    """Its key in the stage store."""
    reused: bool
    """Stored before this call, or trained for an arm or seed listed before this one."""
    seconds: float
    """What its training took, whenever that was."""
    tokens: int
    images: int
    documents: int
    supervised: int


class SeedReport(Part):
    """Scores of one arm at one seed."""

    tasks: dict[str, dict[str, float]]
    """Task to shots to mean score over items, in its natural unit (0 to 1)."""
    figures: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Task to shots to the figure that tables print: percent, or the task's own unit."""
    endpoints: dict[str, dict[str, float]]
    """Endpoint to shots to figure, on the endpoint's scale."""


class EvaluationReport(Part):
    """The evaluation of one arm at one seed."""

    identity: str
    """Its key in the store."""
    seconds: float
    """What it took, whenever that was."""


class ArmReport(Part):
    """One arm."""

    title: str
    overrides: dict[str, Any]
    command: str
    """Repeats it alone, at the first seed."""
    failed: str | None
    """Why a seed of it is missing."""
    retry: str | None = None
    """Tries that seed again."""
    waiting: str | None = None
    """What of it has not been run yet."""
    tokens: int = 0
    """Tokens seen by its stages at all seeds, reused ones included."""
    seconds: float = 0.0
    """What its stages took to train at all seeds, whenever that was."""
    stages_trained: int = 0
    """Stages of all seeds that were trained for it."""
    stages_reused: int = 0
    """Stages of all seeds that were stored, or trained for an arm or seed before it."""
    stages: tuple[StageReport, ...]
    seeds: dict[str, SeedReport]
    measures: dict[str, Measured] = Field(default_factory=dict)
    """Seed to what was measured on its evaluated stage."""
    evaluations: dict[str, EvaluationReport] = Field(default_factory=dict)
    """By seed."""


class OpenArm(Part):
    """An arm that cannot be run at this scale: its row stays open."""

    title: str
    scales: tuple[str, ...]
    """Scales at which it can."""


class TaskReport(Part):
    """One task."""

    metric: str
    shots: tuple[int, ...]
    chance: float | None
    """Score of a blind guess, 0 to 1."""
    items: int
    scale: float = 100.0
    """From a score to the figure that tables print; of a benchmark's CIDEr 1000."""
    is_text: bool
    """Asked without pictures, so that the base LLM answers it too."""
    ceiling: float | None = None
    """What a linear probe of the encoder reaches, 0 to 1, where it was measured."""


class EndpointReport(Part):
    """A quantity that claims use."""

    title: str
    tasks: tuple[str, ...]
    measure: str = ""
    """In place of tasks: one number per arm and seed."""
    scale: float
    task_scales: dict[str, float] = Field(default_factory=dict)
    """Task to the factor of its score, where that is not ``scale``."""


class ControlReport(Part):
    """Whether the base LLM solves the text form of a task."""

    control: str
    failed: str | None
    """Why the task may carry no claim."""


class ClaimReport(Part):
    """A claim, its test and its verdict."""

    text: str
    kind: Literal["order", "gap", "equal", "gain", "interaction"]
    endpoint: str
    terms: tuple[tuple[float, str, int], ...]
    """The effect is the sum of weight times the score of an arm at a number of shots."""
    arms: tuple[str, ...]
    """Arms in it, each once."""
    shots: tuple[int, ...]
    """Numbers of shots in it, two where gains are compared; none for a measure."""
    margin: float
    paper: str
    paper_effect: float | None = None
    """The paper's, on the endpoint's scale."""
    effect: float | None
    """On the endpoint's scale."""
    interval: tuple[float, float] | None
    """Unadjusted, at ``level``."""
    level: float
    verdict: Word
    reason: str
    seeds: int
    items: int
    p: float | None
    p_adjusted: float | None
    """After Holm's correction over the comparison's claims."""
    power: float | None = None
    """Chance to show an effect as large as the paper's with these seeds, five at least."""


class PaperReport(Part):
    """The paper's table."""

    source: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float | str | None, ...]]
    note: str


class Request(Part):
    """What was asked of ``vilax compare``, so that results can be gathered afresh."""

    name: str
    """Name or folder of the comparison."""
    seeds: tuple[int, ...]
    extra: tuple[str, ...]
    """Overrides that all arms got."""
    config_dir: str | None


class SweepProgress(Part):
    """A sweep that was running when the report was written."""

    host: str
    pid: int
    since: str
    """ISO 8601."""
    updated: str
    """ISO 8601."""
    comparisons: tuple[str, ...]
    done: int
    """Nodes of the graph that have ended, stored ones included."""
    failed: int
    total: int
    running: tuple[str, ...]


class Timing(Part):
    """Seconds of training over all arms and seeds."""

    alone_seconds: float
    """If every arm and seed had trained all its stages."""
    distinct_seconds: float
    """Each distinct stage once."""
    stages: int
    distinct_stages: int
    evaluation_seconds: float


class ComparisonReport(Part):
    """One comparison."""

    title: str
    question: str
    command: str
    """Repeats the comparison."""
    seeds: tuple[int, ...]
    stage: str
    """Stage whose result was evaluated."""
    control_stage: str = ""
    """Stage that makes the base LLM; empty: it is given."""
    varies: tuple[str, ...]
    held_equal: str
    unequal: tuple[str, ...]
    """Where that quantity was not equal after all."""
    tuning: str
    endpoints: dict[str, EndpointReport]
    """The first is the average of tables."""
    tasks: dict[str, TaskReport]
    arms: dict[str, ArmReport]
    claims: dict[str, ClaimReport]
    calibration: tuple[str, ...] = ()
    """Per two arms equal but for the seed: how many intervals of their difference exclude 0."""
    curves: dict[str, dict[str, dict[str, Point]]]
    """Task to arm to shots to point."""
    base: dict[str, dict[str, Point]]
    """Task in text to shots to point, of the base LLM."""
    controls: dict[str, ControlReport]
    """By the task that they stand for."""
    training: dict[str, dict[str, tuple[tuple[float, float], ...]]]
    """Stage to arms that share it to (supervised tokens, smoothed loss), at the first seed."""
    base_measures: dict[str, dict[str, Measured]] = Field(default_factory=dict)
    """Arms that share it, and seed, to what was measured on the LLM that nothing had trained on
    pictures yet, behind the projector of the first stage with pictures."""
    examples: Examples | None = None
    proof: ProofReport | None = None
    open_arms: dict[str, OpenArm] = Field(default_factory=dict)
    paper: PaperReport
    timing: Timing
    generated: str = ""
    """Time at which its results were gathered, ISO 8601."""
    state: Literal["run", "open"] = "run"
    """Open: it has not been run at this scale."""
    state_reason: str = ""
    request: Request | None = None
    """None where results cannot be gathered afresh by name."""


class SavedReport(Part):
    """Stages and evaluations of all arms and seeds, whenever they were made."""

    wanted: int
    """How many."""
    distinct: int
    """Different ones among them."""
    apart: float
    """Seconds, if each arm and seed made all of its own: without the store."""
    shared: float
    """Seconds of the distinct ones: with it."""


class Savings(Part):
    """What sharing saved over all comparisons of a report."""

    every: SavedReport
    without_base: SavedReport
    """With the stages of base LLMs left out, which nobody would train anew for each arm."""
    base_stages: tuple[str, ...]
    """Names of these."""


class Report(Part):
    """All comparisons of a scale."""

    scale: str
    generated: str
    """Time at which results were gathered, ISO 8601."""
    versions: dict[str, str]
    sweeps: tuple[SweepProgress, ...] = ()
    """Sweeps in progress."""
    savings: Savings | None = None
    """None where nothing was run."""
    comparisons: dict[str, ComparisonReport]
    """Those that were run."""
    open: dict[str, ComparisonReport] = Field(default_factory=dict)
    """Those that were not."""
