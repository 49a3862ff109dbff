"""Times of a graph's nodes, when they start, and what sharing saves."""

from pathlib import Path

import pytest

from tests.ablation.fakes import FakeStore, freezing
from vilax.ablation.assumed import ASSUMED
from vilax.ablation.forecast import Forecast, Time, forecast, measured_timer
from vilax.ablation.graph import Graph, Node, build
from vilax.artifacts.store import Entry
from vilax.training.recipe import stage_inputs


def graph_of(store: FakeStore | None = None) -> Graph:
    return build([freezing()], (store or FakeStore()).lookup())


def by_cost(node: Node) -> Time:
    return Time(node.cost / 1000, "planned", node.gpus)


def overlapping(found: Forecast, moment: float) -> list[Node]:
    nodes = found.graph.nodes
    return [
        nodes[key]
        for key, start in found.starts.items()
        if start <= moment < start + found.times[key].seconds
    ]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_nodes_start_when_what_they_need_is_done_and_threads_are_free(threads: int) -> None:
    graph = graph_of()
    found = forecast(graph, by_cost, threads, 0)
    assert set(found.starts) == set(graph.nodes)
    for key, start in found.starts.items():
        for need in graph.nodes[key].needs:
            assert start >= found.starts[need] + found.times[need].seconds
        busy = sum(min(node.threads, threads) for node in overlapping(found, start))
        assert busy <= threads
    assert found.wall == max(found.starts[k] + found.times[k].seconds for k in graph.nodes)
    assert found.wall == pytest.approx(found.left) if threads == 1 else found.wall < found.left


def test_gpus_are_given_out() -> None:
    graph = graph_of()
    one, two = (forecast(graph, by_cost, None, gpus) for gpus in (1, 2))
    for found, most in ((one, 1), (two, 2)):
        for start in found.starts.values():
            assert sum(node.gpus for node in overlapping(found, start)) <= most
    assert one.wall is not None and two.wall is not None
    assert two.wall < one.wall


def test_what_is_stored_takes_its_own_time_and_teaches_its_like(tmp_path: Path) -> None:
    store = FakeStore()
    nodes = list(graph_of().nodes.values())
    first = next(node for node in nodes if node.stage == "align")
    store.put(first, tmp_path, {"name": "align", "seconds": 60.0})
    graph = graph_of(store)
    found = forecast(graph, measured_timer(graph, ()), 2, 0)
    assert found.times[first.key] == Time(60.0, "measured")
    assert first.key not in found.starts
    other = next(n for n in nodes if n.stage == "align" and n.key != first.key)
    assert found.times[other.key].source == "pace"
    assert found.times[other.key].seconds == pytest.approx(60.0 * other.cost / first.cost)
    # Nothing like them is stored.
    text = next(node for node in nodes if node.title == "text")
    assert found.times[text.key] == Time(ASSUMED["text"] * text.cost, "assumed")
    assert not found.unknown and found.wall is not None


def test_results_of_other_comparisons_teach_too_if_the_llm_is_the_same(tmp_path: Path) -> None:
    graph = graph_of()
    node = next(node for node in graph.nodes.values() if node.stage == "align")
    inputs = stage_inputs(node.run, "align")
    inputs["stage"]["budget"] = {"images": 100}
    found = []
    for llm in (inputs["model"]["llm"], {"kind": "pretrained"}):
        model = inputs["model"] | {"llm": llm}
        meta = {"name": "align", "seconds": 5.0}
        other = Entry("stage", "other", tmp_path, inputs | {"model": model}, meta, {})
        found.append(measured_timer(graph, [other])(node))
    assert found[0] == Time(5.0 * node.cost / 10_000, "pace")
    assert found[1] is not None and found[1].source == "assumed"


def test_a_time_that_nobody_can_tell_leaves_the_whole_open() -> None:
    graph = graph_of()
    found = forecast(graph, lambda n: None if n.stage == "sft" else by_cost(n), 2, 0)
    assert {node.stage for node in found.unknown} == {"sft"}
    assert found.wall is None


def test_sharing_saves_what_arms_would_do_twice() -> None:
    graph = graph_of()
    found = forecast(graph, lambda node: Time(3600.0, "planned", 2), 2, 0)
    hours = found.savings(lambda time: time.gpu_hours)
    # Four arms of four stages and an evaluation, and the base LLM's; ten stages are distinct.
    assert (hours.wanted, hours.distinct) == (21, 15)
    assert (hours.apart, hours.shared) == (42.0, 30.0)
    without = found.savings(lambda time: time.seconds, {"text"})
    assert (without.wanted, without.distinct) == (16, 13)
