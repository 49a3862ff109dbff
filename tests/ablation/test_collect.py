import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.ablation.fakes import FakeStore, fake_identity, freezing
from vilax.ablation.collect import Collected, collect
from vilax.ablation.executor import Outcome
from vilax.ablation.graph import Graph, Node, build
from vilax.config.schema.run import Run

COUNTS = {"tokens": 1000, "images": 20, "documents": 50, "supervised": 400, "seconds": 12.0}


def publish(
    store: FakeStore, node: Node, folder: Path, solved: float = 1.0, **changes: float
) -> None:
    here = folder / node.key.replace(":", "-")
    here.mkdir()
    if node.kind == "evaluation":
        tasks: dict[str, dict[str, Any]] = {
            "relation": {"metric": "accuracy", "scores": {"0": 0.5, "4": 1.0}, "chance": 0.25},
            "text_relation": {"metric": "accuracy", "scores": {"4": solved}, "chance": 0.25},
            "caption": {"metric": "cider_d / 10", "scores": {"0": 0.1}, "chance": None},
        }
        for name, facts in tasks.items():
            facts["scale"] = 1000.0 if name == "caption" else 100.0
        (here / "results.json").write_text(json.dumps({"tasks": tasks}))
        rows = [
            ("relation", 0, "x", 0.0),
            ("relation", 0, "y", 1.0),
            ("relation", 4, "x", 1.0),
            ("relation", 4, "y", 1.0),
            ("text_relation", 4, "x", solved),
            ("caption", 0, "z", 0.1),
        ]
        lines = [
            json.dumps({"task": task, "k": k, "id": item, "score": score})
            for task, k, item, score in rows
        ]
        (here / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    store.put(node, here, {"name": node.stage, **COUNTS, **changes})


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def gather(
    store: FakeStore, graph: Graph, outcomes: Mapping[str, Outcome] | None = None
) -> Collected:
    return collect(freezing((0, 1)), graph, outcomes or {}, store.lookup())


def test_scores_come_by_seed_task_shots_and_item(store: FakeStore, tmp_path: Path) -> None:
    graph = build([freezing((0, 1))], store.lookup())
    for node in graph.nodes.values():
        publish(store, node, tmp_path)
    collected = gather(store, graph)
    arm = collected.arms["b"]
    assert arm.scores[1]["relation"] == {0: {"x": 0.0, "y": 1.0}, 4: {"x": 1.0, "y": 1.0}}
    assert arm.chance == {"relation": 0.25, "text_relation": 0.25}
    assert arm.figures[1] == {
        "relation": {0: 50.0, 4: 100.0},
        "text_relation": {4: 100.0},
        "caption": {0: 100.0},
    }
    assert arm.failed == ""
    assert set(collected.controls) == {0, 1}
    assert collected.unequal == ()
    assert collected.results["a", 1, "evaluation"].kind == "evaluation"


def test_training_loss_joins_what_was_measured_without_waiting_for_it(
    store: FakeStore, tmp_path: Path
) -> None:
    lookup = replace(
        store.lookup(),
        measures_identity=fake_identity,
        find_measures=lambda run, stage: store.entries.get(f"measures:{fake_identity(run, stage)}"),
    )
    comparison = freezing((0, 1))
    graph = build([comparison], lookup)
    rows = [{"share": s, "loss": 4 - 2 * s, "supervised": 100 * s} for s in (0.5, 1.0)]
    evaluated = graph.evaluations["freezing", "b", 0]
    for node in graph.nodes.values():
        if node.kind != "evaluation" or node.key == evaluated:
            publish(store, node, tmp_path)
        if node.kind == "stage" and node.stage != "text":
            lines = "\n".join(map(json.dumps, rows))
            (store.entries[node.key].folder / "metrics.jsonl").write_text(lines)
        if node.kind == "measures":
            (store.entries[node.key].folder / "measures.json").write_text('{"held_out": {}}')
    found = collect(comparison, graph, {}, lookup).measures
    losses = dict.fromkeys(("align", "pretrain", "sft"), 2.0)
    # Of arms that were not evaluated yet too, so a claim on it waits for nothing else.
    assert found["a", 1] == {"training_loss": losses}
    assert found["b", 0] == {"held_out": {}, "training_loss": losses}


def test_the_untouched_llm_is_measured_behind_the_first_projector(
    store: FakeStore, tmp_path: Path
) -> None:
    def measured(run: Run, stage: str) -> str:
        return f"{fake_identity(run, stage)}{run.stages['pretrain'].blend.model_dump_json()}"

    lookup = replace(
        store.lookup(),
        measures_identity=measured,
        find_measures=lambda run, stage: store.entries.get(f"measures:{measured(run, stage)}"),
    )
    comparison = freezing((0, 1))
    graph = build([comparison], lookup)
    # Arms a to c have one projector, arm d another; the LLM is frozen while it is aligned.
    for seed in (0, 1):
        keys = [graph.untouched["freezing", arm, seed] for arm in "abcd"]
        assert keys[0] == keys[1] == keys[2] != keys[3]
        assert {graph.nodes[key].stage for key in keys} == {"align"}
    for seed in (0, 1):
        for arm in "ad":
            node = graph.nodes[graph.untouched["freezing", arm, seed]]
            here = tmp_path / f"{arm}{seed}"
            here.mkdir()
            content = {"alignment": {"layers": [0], "values": [seed + ord(arm)]}}
            (here / "measures.json").write_text(json.dumps(content))
            store.put(node, here)
    found = collect(comparison, graph, {}, lookup).base_measures
    assert list(found) == [("a", "b", "c"), ("d",)]
    values = {
        arms: [one["alignment"]["values"] for one in seeds.values()]
        for arms, seeds in found.items()
    }
    assert values == {("a", "b", "c"): [[97], [98]], ("d",): [[100], [101]]}


def test_an_llm_trained_from_the_first_picture_on_has_no_base_line(store: FakeStore) -> None:
    lookup = replace(
        store.lookup(),
        measures_identity=lambda run, stage: f"{fake_identity(run, stage)}-measured",
        find_measures=lambda run, stage: None,
    )
    trained = freezing((0,), ("stages.align.freeze=llm_and_projector",))
    assert build([trained], lookup).untouched == {}


def test_a_stage_counts_as_trained_for_its_first_arm_only(store: FakeStore, tmp_path: Path) -> None:
    graph = build([freezing((0, 1))], store.lookup())
    for node in graph.nodes.values():
        publish(store, node, tmp_path)
    collected = gather(store, graph)

    def reused(arm: str) -> dict[tuple[int, str], bool]:
        return {(s.seed, s.name): s.reused for s in collected.arms[arm].stages}

    assert not reused("a")[0, "text"]
    assert reused("a")[1, "text"]
    assert not reused("a")[1, "pretrain"]
    assert reused("b")[1, "pretrain"]
    assert not reused("b")[1, "sft"]
    again = gather(store, build([freezing((0, 1))], store.lookup()))
    assert all(stage.reused for arm in again.arms.values() for stage in arm.stages)


def test_a_missing_stage_fails_its_arms_with_the_reason(store: FakeStore, tmp_path: Path) -> None:
    graph = build([freezing((0, 1))], store.lookup())
    bad = graph.stages["freezing", "c", 1][2]
    lost = {bad, graph.stages["freezing", "c", 1][3], graph.evaluations["freezing", "c", 1]}
    for node in graph.nodes.values():
        if node.key not in lost:
            publish(store, node, tmp_path)
    outcomes = {bad: Outcome(1.0, "loss is not a number")}
    collected = gather(store, graph, outcomes)
    assert collected.arms["c"].failed == "seed 1: pretrain: loss is not a number"
    assert set(collected.arms["c"].scores) == {0}
    assert not collected.arms["d"].failed


def test_arms_that_saw_unequal_numbers_of_pictures_are_named(
    store: FakeStore, tmp_path: Path
) -> None:
    graph = build([freezing((0, 1))], store.lookup())
    odd = graph.stages["freezing", "d", 0][2]
    for node in graph.nodes.values():
        publish(store, node, tmp_path, **({"images": 30} if node.key == odd else {}))
    assert "pretrain was to hold images equal" in gather(store, graph).unequal[0]


@pytest.mark.parametrize(("solved", "is_solved"), [(1.0, True), (0.3, False)])
def test_a_task_that_the_base_llm_does_not_solve_in_text_carries_no_claim(
    store: FakeStore, tmp_path: Path, solved: float, is_solved: bool
) -> None:
    graph = build([freezing((0, 1))], store.lookup())
    for node in graph.nodes.values():
        publish(store, node, tmp_path, solved)
    failed = gather(store, graph).failed_controls
    assert set(failed) == (set() if is_solved else {"relation"})
