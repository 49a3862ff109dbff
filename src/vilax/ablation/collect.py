"""What a comparison's arms came to: scores per item, and what each stage saw and took."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from vilax.ablation.claims import control_failure
from vilax.ablation.comparison import ArmRun, Resolved
from vilax.ablation.contrast import contrast
from vilax.ablation.executor import Outcome
from vilax.ablation.graph import Graph, Lookup, Node
from vilax.ablation.measuring import FILE
from vilax.ablation.seen import counts_of, unequal
from vilax.ablation.training_loss import training_losses
from vilax.artifacts.store import Entry
from vilax.config.schema.comparison import Comparison

TaskScores = dict[str, dict[int, dict[str, float]]]
"""Task to number of shots to item to score, 0 to 1."""
TaskFigures = dict[str, dict[int, float]]
"""Task to number of shots to the task's figure in its own unit: percent, or 100 x CIDEr-D."""


@dataclass(frozen=True)
class StageFacts:
    """One stage of one arm at one seed.

    Attributes:
        name: name of the stage.
        seed: seed of the arm's run.
        identity: the stage's identity in the store.
        reused: whether it was stored before, or trained for an arm or seed before this one.
        seconds: what its training took, whenever that was.
        counts: tokens, images, documents and supervised tokens that it saw.
    """

    name: str
    seed: int
    identity: str
    reused: bool
    seconds: float
    counts: Mapping[str, float]


@dataclass
class ArmFacts:
    """One arm.

    Attributes:
        title: one line for tables.
        overrides: key to value.
        command: the command that repeats it at the first seed.
        stages: every stage at every seed that was done.
        scores: seed to scores of its last stage, for the seeds that were done.
        figures: seed to the figures of its last stage, as tables print them.
        chance: task to the score of guessing, where that is defined.
        failed: why a seed of it is missing; empty: none is.
        retry: the command that tries that seed again.
        waiting: what of it has not been run; empty: nothing.
    """

    title: str
    overrides: Mapping[str, object]
    command: str
    stages: list[StageFacts] = field(default_factory=list)
    scores: dict[int, TaskScores] = field(default_factory=dict)
    figures: dict[int, TaskFigures] = field(default_factory=dict)
    chance: dict[str, float] = field(default_factory=dict)
    failed: str = ""
    retry: str = ""
    waiting: str = ""


@dataclass(frozen=True)
class Collected:
    """One comparison, as far as it was done.

    Attributes:
        resolved: the comparison and its runs.
        arms: arm to facts.
        controls: seed to the base LLM's scores on tasks asked in text.
        failed_controls: task to the reason why it may not carry a claim.
        unequal: stages in which the arms did not see as much as each other.
        results: every stored result in it, by (arm, seed, stage); evaluations under ``evaluation``.
        measures: (arm, seed) to what ``measures.json`` of the arm's evaluated stage holds, and
            under ``training_loss`` each stage's mean training loss.
        base_measures: arms that share it, and seed, to the same of the untouched LLM: before
            anything of it was trained on pictures.
        command: what repeats it; empty: ``vilax compare`` with its name.
    """

    resolved: Resolved
    arms: Mapping[str, ArmFacts]
    controls: Mapping[int, TaskScores]
    failed_controls: Mapping[str, str]
    unequal: tuple[str, ...]
    results: Mapping[tuple[str, int, str], Entry]
    measures: Mapping[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)
    base_measures: Mapping[tuple[str, ...], Mapping[int, Mapping[str, Any]]] = field(
        default_factory=dict
    )
    command: str = ""


def collect(
    resolved: Resolved, graph: Graph, outcomes: Mapping[str, Outcome], lookup: Lookup
) -> Collected:
    """Gather a comparison's results from the store.

    Args:
        resolved: the comparison.
        graph: what was planned.
        outcomes: how the nodes that ran ended; a node in neither it nor the store was not run.
        lookup: where results are found.
    """
    arms: dict[str, ArmFacts] = {}
    results: dict[tuple[str, int, str], Entry] = {}
    measures: dict[tuple[str, int], Mapping[str, Any]] = {}
    seen: set[str] = set()
    for one in resolved.runs:
        settings = resolved.comparison.arms[one.arm]
        facts = arms.setdefault(one.arm, ArmFacts(settings.title, settings.overrides, one.command))
        place = (resolved.name, one.arm, one.seed)
        missing: Node | None = None
        for key in graph.stages[place]:
            node = graph.nodes[key]
            entry = node.entry or lookup.find_stage(node.run, node.stage)
            if entry is None:
                missing = missing or node
                continue
            is_old = node.entry is not None or key in seen
            facts.stages.append(stage_facts(node.stage, one.seed, entry, is_old))
            results[one.arm, one.seed, node.stage] = entry
            seen.add(key)
        node = graph.nodes[graph.evaluations[place]]
        entry = node.entry or lookup.find_evaluation(node.run, node.stage)
        if entry is None:
            _note_missing(facts, one, missing or node, outcomes)
            continue
        results[one.arm, one.seed, "evaluation"] = entry
        found = _measured(graph.measures.get(place), graph, lookup)
        if found:
            measures[one.arm, one.seed] = found
        facts.scores[one.seed], facts.chance = read_scores(entry)
        facts.figures[one.seed] = read_figures(entry)
    for run, losses in training_losses(results).items():
        measures[run] = {**measures.get(run, {}), "training_loss": losses}
    controls: dict[int, TaskScores] = {}
    chance: dict[str, float] = {}
    for seed in resolved.seeds:
        if (resolved.name, seed) in graph.controls:
            node = graph.nodes[graph.controls[resolved.name, seed]]
            entry = node.entry or lookup.find_evaluation(node.run, node.stage)
            if entry is not None:
                controls[seed], chance = read_scores(entry)
    return Collected(
        resolved,
        arms,
        controls,
        failed_controls(resolved, controls, chance),
        tuple(_unequal(resolved.comparison, arms.items())),
        results,
        measures,
        _untouched(resolved, graph, lookup),
    )


def _untouched(
    resolved: Resolved, graph: Graph, lookup: Lookup
) -> dict[tuple[str, ...], dict[int, Mapping[str, Any]]]:
    """Measures of the untouched LLM, by the arms that have the same at every seed."""
    shared: dict[tuple[str | None, ...], list[str]] = {}
    for arm in resolved.arms:
        keys = tuple(graph.untouched.get((resolved.name, arm, seed)) for seed in resolved.seeds)
        if any(keys):
            shared.setdefault(keys, []).append(arm)
    found: dict[tuple[str, ...], dict[int, Mapping[str, Any]]] = {}
    for keys, arms in shared.items():
        seeds = zip(resolved.seeds, keys, strict=True)
        every = {seed: _measured(key, graph, lookup) for seed, key in seeds}
        if known := {seed: content for seed, content in every.items() if content}:
            found[tuple(arms)] = known
    return found


def _measured(key: str | None, graph: Graph, lookup: Lookup) -> Mapping[str, Any]:
    """What a node measured; empty where it did not."""
    if key is None or lookup.find_measures is None:
        return {}
    node = graph.nodes[key]
    entry = node.entry or lookup.find_measures(node.run, node.stage)
    if entry is None:
        return {}
    found: dict[str, Any] = json.loads((entry.folder / FILE).read_text(encoding="utf-8"))
    return found


def failed_controls(
    resolved: Resolved, controls: Mapping[int, TaskScores], chance: Mapping[str, float]
) -> dict[str, str]:
    """Tasks that may not carry a claim, because the base LLM does not solve them in text.

    Each is judged at the most shots at which a claim uses it. Where the recipe has no stage to
    measure the base LLM on, as with a pre-trained one, no task is held back.
    """
    comparison = resolved.comparison
    if comparison.control_stage not in next(iter(resolved.arms.values())).order:
        return {}
    found: dict[str, str] = {}
    for task, control in comparison.controls.items():
        shots = [
            contrast(claim).shots[-1]
            for claim in comparison.claims.values()
            if task in comparison.endpoints[claim.endpoint].tasks
        ]
        figures = mean_scores([scores[control] for scores in controls.values()])
        reason = control_failure(task, control, figures, chance.get(control), max(shots, default=0))
        if reason is not None:
            found[task] = reason
    return found


def mean_scores(scores: Sequence[Mapping[int, Mapping[str, float]]]) -> dict[int, float]:
    """Shots to the mean over seeds of the mean over items."""
    means: dict[int, list[float]] = {}
    for one in scores:
        for k, items in one.items():
            means.setdefault(k, []).append(fmean(items.values()))
    return {k: fmean(values) for k, values in means.items()}


def _note_missing(
    facts: ArmFacts, one: ArmRun, node: Node, outcomes: Mapping[str, Outcome]
) -> None:
    """Note the first seed of an arm that failed, and the first that was not run."""
    outcome = outcomes.get(node.key)
    if outcome is None:
        facts.waiting = facts.waiting or f"seed {one.seed}: {node.title} has not been run"
    elif not facts.failed:
        facts.failed = f"seed {one.seed}: {node.title}: {outcome.failure}"
        facts.retry = one.command


def stage_facts(name: str, seed: int, entry: Entry, reused: bool) -> StageFacts:
    """What the store says of a stage."""
    seconds = float(entry.meta["seconds"])
    return StageFacts(name, seed, entry.identity, reused, seconds, counts_of(entry))


def read_scores(entry: Entry) -> tuple[TaskScores, dict[str, float]]:
    """Scores of an evaluation by task, shots and item, and chance levels where defined.

    An item's score is its mean over the seeds of the shots. Tasks that a judge or a server has yet
    to score are left out.
    """
    results = json.loads((entry.folder / "results.json").read_text(encoding="utf-8"))["tasks"]
    found: dict[str, dict[int, dict[str, list[float]]]] = {}
    with (entry.folder / "predictions.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["score"] is not None:
                shots = found.setdefault(str(row["task"]), {}).setdefault(int(row["k"]), {})
                shots.setdefault(str(row["id"]), []).append(float(row["score"]))
    scores: TaskScores = {
        task: {k: {name: fmean(each) for name, each in items.items()} for k, items in shots.items()}
        for task, shots in found.items()
    }
    chance = {
        task: float(facts["chance"])
        for task, facts in results.items()
        if facts["chance"] is not None
    }
    return scores, chance


def read_figures(entry: Entry) -> TaskFigures:
    """The reported figures of an evaluation: of some tasks they are no means over items."""
    results = json.loads((entry.folder / "results.json").read_text(encoding="utf-8"))["tasks"]
    return {
        task: {
            int(k): float(facts["scale"]) * float(share)
            for k, share in facts["scores"].items()
            if share is not None
        }
        for task, facts in results.items()
    }


def _unequal(comparison: Comparison, arms: Iterable[tuple[str, ArmFacts]]) -> list[str]:
    counts: dict[str, dict[str, Mapping[str, float]]] = {}
    for arm, facts in arms:
        # Seeds draw other documents, so only runs of one seed are compared.
        first = min((stage.seed for stage in facts.stages), default=0)
        counts[arm] = {stage.name: stage.counts for stage in facts.stages if stage.seed == first}
    return unequal(comparison, counts)
