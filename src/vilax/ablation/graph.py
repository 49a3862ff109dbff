"""One graph of everything that comparisons need, each distinct node once."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vilax.ablation.comparison import Resolved
from vilax.ablation.costs import evaluation_cost, measures_cost, stage_cost
from vilax.ablation.nodes import asks_world, evaluation_identity, find_evaluation
from vilax.ablation.order import in_order, rounds
from vilax.artifacts.identity import science_dump
from vilax.artifacts.store import Entry
from vilax.config.schema.run import Run
from vilax.training.sources import MICRO, corpus_config

PREPARATION = {"data": "micro world", "pictures": "picture features"}

NodeKind = Literal["data", "pictures", "stage", "evaluation", "measures"]


def title_of(kind: str, stage: str) -> str:
    """What a node or stored result is, for people."""
    if kind in PREPARATION:
        return PREPARATION[kind]
    return stage if kind == "stage" else f"{kind} of {stage}"


@dataclass(frozen=True)
class Lookup:
    """How identities are computed and results found; tests put in others.

    Attributes:
        stage_identity: run and stage to the stage's identity.
        evaluation_identity: run and stage to the identity of the stage's evaluation.
        find_stage: the stored stage, or None.
        find_evaluation: the stored evaluation of a stage, or None.
        measures_identity: run and stage to the identity of the stage's measures; None: nothing is
            measured.
        find_measures: the stored measures of a stage, or None.
    """

    stage_identity: Callable[[Run, str], str]
    evaluation_identity: Callable[[Run, str], str]
    find_stage: Callable[[Run, str], Entry | None]
    find_evaluation: Callable[[Run, str], Entry | None]
    measures_identity: Callable[[Run, str], str] | None = None
    find_measures: Callable[[Run, str], Entry | None] | None = None


def store_lookup() -> Lookup:
    """The real one: identities of recipes, results of the stage store. It needs no torch."""
    from vilax.ablation.measuring import find_measures, measures_identity
    from vilax.training.recipe import find_stage, stage_identity

    return Lookup(
        stage_identity,
        evaluation_identity,
        find_stage,
        find_evaluation,
        measures_identity,
        find_measures,
    )


@dataclass
class Node:
    """One piece of work.

    Attributes:
        key: kind and identity.
        kind: what is done.
        stage: name of the stage that is trained or evaluated; empty otherwise.
        run: configuration of the first arm that needs it.
        needs: keys of the nodes that must be done first.
        threads: CPU threads it takes.
        gpus: GPUs it takes where there are any.
        cost: estimate of its work, in units that only progress bars compare.
        users: labels of the arms and seeds that need it.
        entry: its stored result, where it has one.
    """

    key: str
    kind: NodeKind
    stage: str
    run: Run
    needs: tuple[str, ...]
    threads: int = 1
    gpus: int = 0
    cost: float = 1.0
    users: list[str] = field(default_factory=list)
    entry: Entry | None = None

    @property
    def title(self) -> str:
        """What it is, for people."""
        return title_of(self.kind, self.stage)


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they are started, each after those it needs.

    Attributes:
        nodes: key to node.
        stages: (comparison, arm, seed) to the keys of its stages, in order.
        evaluations: (comparison, arm, seed) to the key of its evaluation.
        measures: (comparison, arm, seed) to the key of its measures.
        controls: (comparison, seed) to the key of the base LLM's evaluation.
        untouched: (comparison, arm, seed) to the key of the measures of the LLM before anything of
            it was trained on pictures, behind the projector of the arm's first stage with these.
    """

    nodes: dict[str, Node]
    stages: dict[tuple[str, str, int], tuple[str, ...]]
    evaluations: dict[tuple[str, str, int], str]
    controls: dict[tuple[str, int], str]
    measures: dict[tuple[str, str, int], str] = field(default_factory=dict)
    untouched: dict[tuple[str, str, int], str] = field(default_factory=dict)

    @property
    def pending(self) -> list[Node]:
        """Nodes that are to run; the rest is in the store."""
        return [node for node in self.nodes.values() if node.entry is None]


def build(comparisons: Sequence[Resolved], lookup: Lookup) -> Graph:
    """The graph over all arms and seeds; stages of equal identity are one node.

    Data and picture features are nodes only where something that is not stored needs them.
    """
    nodes: dict[str, Node] = {}
    stages: dict[tuple[str, str, int], tuple[str, ...]] = {}
    evaluations: dict[tuple[str, str, int], str] = {}
    controls: dict[tuple[str, int], str] = {}
    measures: dict[tuple[str, str, int], str] = {}
    untouched: dict[tuple[str, str, int], str] = {}
    trained: dict[tuple[str, str, int], dict[str, str]] = {}
    for resolved in comparisons:
        for arm in resolved.runs:
            place = (resolved.name, arm.arm, arm.seed)
            label = arm.label if len(comparisons) == 1 else f"{arm.comparison}:{arm.label}"
            stages[place] = _add_stages(nodes, arm.run, arm.stage, label, lookup)
            trained[place] = dict(zip(arm.run.order, stages[place], strict=False))
            evaluations[place] = _add_evaluation(nodes, arm.run, arm.stage, label, lookup)
            measured = _add_measures(nodes, arm.run, arm.stage, label, lookup)
            if measured is not None:
                measures[place] = measured
            first = _untouched_stage(arm.run, arm.stage)
            if first is not None:
                key = _add_measures(nodes, arm.run, first, label, lookup)
                if key is not None:
                    untouched[place] = key
            base = resolved.comparison.control_stage
            if base in arm.run.order:
                key = _add_evaluation(nodes, arm.run, base, f"control/{arm.seed}", lookup)
                controls[resolved.name, arm.seed] = key
    _drop_idle(nodes)
    ordered = in_order(nodes, rounds(comparisons, evaluations, measures, controls, trained))
    return Graph(ordered, stages, evaluations, controls, measures, untouched)


def _untouched_stage(run: Run, last: str) -> str | None:
    """The first stage with pictures, where it leaves the LLM as it is; None otherwise.

    Its alignment by layer is the base line of the arms': what the LLM is without their training.
    """
    trained = run.order[: run.order.index(last) + 1]
    first = next((name for name in trained if "encoder" in run.stages[name].parts), None)
    if first is None or not run.measures.alignment:
        return None
    return first if run.stages[first].freeze.llm.mode == "frozen" else None


def _add_stages(
    nodes: dict[str, Node], run: Run, last: str, label: str, lookup: Lookup
) -> tuple[str, ...]:
    keys: list[str] = []
    for name in run.order[: list(run.order).index(last) + 1]:
        stage = run.stages[name]
        key = f"stage:{lookup.stage_identity(run, name)}"
        if key not in nodes:
            nodes[key] = Node(
                key,
                "stage",
                name,
                run,
                (*keys[-1:], *_add_preparation(nodes, run, name)),
                threads=stage.threads,
                gpus=0 if run.trainer.accelerator == "cpu" else run.trainer.devices,
                cost=stage_cost(run, name),
                entry=lookup.find_stage(run, name),
            )
        _use(nodes, key, label)
        keys.append(key)
    return tuple(keys)


def _add_evaluation(
    nodes: dict[str, Node], run: Run, stage: str, label: str, lookup: Lookup
) -> str:
    key = f"evaluation:{lookup.evaluation_identity(run, stage)}"
    if key not in nodes:
        trained = f"stage:{lookup.stage_identity(run, stage)}"
        nodes[key] = Node(
            key,
            "evaluation",
            stage,
            run,
            (trained, *_add_preparation(nodes, run, stage)),
            threads=run.evaluation.threads,
            gpus=_one_gpu(run),
            cost=evaluation_cost(run, stage),
            entry=lookup.find_evaluation(run, stage),
        )
    _use(nodes, key, label)
    return key


def _add_measures(
    nodes: dict[str, Node], run: Run, stage: str, label: str, lookup: Lookup
) -> str | None:
    if lookup.measures_identity is None or lookup.find_measures is None:
        return None
    key = f"measures:{lookup.measures_identity(run, stage)}"
    if key not in nodes:
        trained = f"stage:{lookup.stage_identity(run, stage)}"
        nodes[key] = Node(
            key,
            "measures",
            stage,
            run,
            (trained, *_add_preparation(nodes, run, stage)),
            threads=run.evaluation.threads,
            gpus=_one_gpu(run),
            cost=measures_cost(run),
            entry=lookup.find_measures(run, stage),
        )
    _use(nodes, key, label)
    return key


def _add_preparation(nodes: dict[str, Node], run: Run, stage: str) -> list[str]:
    """The micro world where it is read, and for a stage with pictures their features."""
    world = science_dump(run.micro)
    found = []
    if _reads_world(run):
        data = f"data:{_digest(world)}"
        found.append(data)
        if data not in nodes:
            nodes[data] = Node(data, "data", "", run, (), threads=run.micro.workers, cost=2e5)
    if "encoder" not in run.stages[stage].parts or not run.features.cache:
        return found
    blends = sorted({name for one in run.order for name in run.stages[one].blend.corpora})
    pictures = f"pictures:{_digest(world, science_dump(run.encoder), blends)}"
    if pictures not in nodes:
        threads = run.micro.workers
        before = tuple(found)
        nodes[pictures] = Node(
            pictures, "pictures", "", run, before, threads=threads, gpus=_one_gpu(run), cost=5e5
        )
    return [*found, pictures]


def _reads_world(run: Run) -> bool:
    names = {name for one in run.order for name in run.stages[one].blend.corpora}
    paths = [corpus_config(run, name).path for name in names]
    asked = [run.evaluation.data] if asks_world(run) else []
    return any(path.startswith(MICRO) for path in (*paths, *asked))


def _one_gpu(run: Run) -> int:
    return int(run.trainer.accelerator != "cpu")


def _use(nodes: dict[str, Node], key: str, label: str) -> None:
    """Note who needs a node and the preparation in front of it."""
    for used in (key, *(need for need in nodes[key].needs if not need.startswith("stage:"))):
        if label not in nodes[used].users:
            nodes[used].users.append(label)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _drop_idle(nodes: dict[str, Node]) -> None:
    """Leave out preparation that nothing waits for."""
    for kind in reversed(PREPARATION):
        needed = {key for node in nodes.values() if node.entry is None for key in node.needs}
        for key in [k for k, node in nodes.items() if node.kind == kind and k not in needed]:
            del nodes[key]
    for node in nodes.values():
        node.needs = tuple(key for key in node.needs if key in nodes)
