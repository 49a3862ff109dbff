"""Time left where nothing like it has run: another machine's, times how this one compares."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.ablation.fakes import FakeStore, freezing
from tests.ablation.test_executor import chain
from vilax.ablation.assumed import ASSUMED, assumed_seconds
from vilax.ablation.comparison import Resolved, resolve
from vilax.ablation.executor import Outcome
from vilax.ablation.graph import Graph, Node, build
from vilax.ablation.pace import Pace
from vilax.ablation.progress import Display, clock


def graph_of(resolved: Resolved | None = None, store: FakeStore | None = None) -> Graph:
    return build([resolved or freezing()], (store or FakeStore()).lookup())


def titled(graph: Graph, title: str) -> Node:
    return next(node for node in graph.nodes.values() if node.title == title)


def assumed(graph: Graph, without: tuple[str, ...] = ()) -> float:
    nodes = [node for node in graph.pending if node.title not in without]
    return sum(ASSUMED[node.title] * node.cost for node in nodes)


def test_before_anything_has_run_the_table_tells_all_or_nothing() -> None:
    graph = graph_of()
    assert Pace(graph).left({}) == pytest.approx(assumed(graph))
    titled(graph, "sft").stage = "another"
    assert Pace(graph).left({}) is None


def test_what_has_run_says_how_this_machine_compares() -> None:
    graph = graph_of()
    pace = Pace(graph)
    world, text = titled(graph, "micro world"), titled(graph, "text")
    pace.ended(world, 0.5 * ASSUMED["micro world"] * world.cost)
    rest = assumed(graph, ("micro world",))
    assert pace.left({}) == pytest.approx(0.5 * rest)
    # What takes longer says more of it.
    pace.ended(text, 1.5 * ASSUMED["text"] * text.cost)
    took = 0.5 * ASSUMED["micro world"] * world.cost + 1.5 * ASSUMED["text"] * text.cost
    there = ASSUMED["micro world"] * world.cost + ASSUMED["text"] * text.cost
    rest = assumed(graph, ("micro world", "text"))
    assert pace.left({}) == pytest.approx(took / there * rest)


def test_its_own_time_counts_for_what_has_run() -> None:
    graph = graph_of()
    pace = Pace(graph)
    first, second = (node for node in graph.nodes.values() if node.title == "align")
    pace.ended(first, 1000.0)
    assert pace.seconds(second) == pytest.approx(1000.0 * second.cost / first.cost)
    speed = 1000.0 / (ASSUMED["align"] * first.cost)
    sft = titled(graph, "sft")
    assert pace.seconds(sft) == pytest.approx(speed * ASSUMED["sft"] * sft.cost)


def test_what_the_table_does_not_know_goes_by_its_kind() -> None:
    graph = graph_of()
    node = titled(graph, "sft")
    node.stage = "another"
    pace = Pace(graph)
    assert pace.seconds(node) is None
    align = titled(graph, "align")
    pace.ended(align, 60.0)
    assert pace.seconds(node) == pytest.approx(60.0 * node.cost / align.cost)


@pytest.mark.parametrize("title", ["micro world", "picture features"])
def test_a_cache_that_was_filled_says_nothing_of_the_machine(title: str) -> None:
    graph = graph_of()
    pace = Pace(graph)
    node = titled(graph, title)
    pace.ended(node, 0.05 * ASSUMED[title] * node.cost)
    assert pace.left({}) == pytest.approx(assumed(graph, (title,)))


def test_stored_results_say_it_too(tmp_path: Path) -> None:
    store = FakeStore()
    text = titled(graph_of(), "text")
    seconds = 2 * ASSUMED["text"] * text.cost
    store.put(text, tmp_path, {"name": "text", "seconds": seconds})
    graph = graph_of(store=store)
    assert Pace(graph).left({}) == pytest.approx(2 * assumed(graph))


def test_of_another_llm_nobody_can_tell() -> None:
    graph = graph_of(resolve("freezing", scale="mini"))
    assert assumed_seconds(titled(graph, "micro world")) is not None
    assert assumed_seconds(titled(graph, "pretrain")) is None
    assert Pace(graph).left({}) is None


def test_a_sweep_says_from_the_start_how_long_it_takes() -> None:
    graph = graph_of()
    world = titled(graph, "micro world")
    out = StringIO()
    with Display(graph, Console(file=out, force_terminal=True, width=150)) as display:
        display._progress.refresh()
        before = out.getvalue()
        display.started(world)
        display.ended(world, Outcome(ASSUMED["micro world"] * world.cost))
    whole, rest = assumed(graph), assumed(graph, ("micro world",))
    assert 300 < rest < whole < 3600
    for text, seconds in ((before, whole), (out.getvalue(), rest)):
        assert f"about {clock(seconds)} left" in text


def test_where_the_room_is_known_the_rest_is_laid_out_in_it() -> None:
    nodes = chain(first=(), a=(), wide=(), b=("wide",), c=("wide",))
    nodes[2].threads = 2
    nodes[4].cost = 3.0
    graph = Graph({node.key: node for node in nodes}, {}, {}, {})
    pace = Pace(graph, threads=2)
    pace.ended(graph.nodes["first"], 10.0)
    # a runs alone for 6 s more, for wide has no room beside it; c ends 30 s after wide.
    assert pace.left({"a": 4.0}) == pytest.approx(6.0 + 10.0 + 30.0)
    # One thread does all in turn.
    pace = Pace(graph, threads=1)
    pace.ended(graph.nodes["first"], 10.0)
    assert pace.left({"a": 4.0}) == pytest.approx(6.0 + 10.0 + 10.0 + 30.0)
