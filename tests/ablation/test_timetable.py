"""Starts and ends of nodes, against the executor itself on a clock of its own."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ablation.test_executor import chain
from vilax.ablation.executor import Ended, Outcome, Room, execute
from vilax.ablation.graph import Node
from vilax.ablation.timetable import timetable


class Clock:
    """A pool in which no time passes but what nodes are said to take."""

    ahead = False

    def __init__(self, seconds: dict[str, float]) -> None:
        self.now = 0.0
        self.starts: dict[str, float] = {}
        self._seconds = seconds
        self._running: list[tuple[float, int, Node]] = []
        self._count = 0

    def start(self, node: Node, devices: Sequence[str]) -> None:
        self.starts[node.key] = self.now
        self._running.append((self.now + self._seconds[node.key], self._count, node))
        self._count += 1

    def collect(self, timeout: float | None) -> list[Ended]:
        self.now = min(end for end, _, _ in self._running)
        over = [node for end, _, node in self._running if end == self.now]
        self._running = [one for one in self._running if one[0] > self.now]
        return [Ended(node, Outcome(1.0), False) for node in over]

    def cancel(self, node: Node) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


class Nobody:
    def started(self, node: Node) -> None: ...

    def ended(self, node: Node, outcome: Outcome) -> None: ...

    def noted(self, line: str) -> None: ...


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Node], dict[str, float]]:
    count = draw(st.integers(1, 12))
    needs = {
        f"n{i}": tuple(
            sorted(
                draw(
                    st.sets(st.sampled_from([f"n{j}" for j in range(i)] or ["stored"]), max_size=3)
                )
            )
        )
        for i in range(count)
    }
    nodes = chain(**needs)
    for node in nodes:
        node.threads = draw(st.integers(1, 4))
        node.gpus = draw(st.integers(0, 2))
    # No two sums are equal, so what ends first does not hang on rounding.
    seconds = {node.key: draw(st.integers(1, 9)) + 2.0 ** -(i + 1) for i, node in enumerate(nodes)}
    return nodes, seconds


@settings(max_examples=60, deadline=None)
@given(graphs(), st.one_of(st.none(), st.integers(1, 4)), st.integers(0, 2))
def test_nodes_start_when_the_executor_starts_them(
    given_graph: tuple[list[Node], dict[str, float]], threads: int | None, gpus: int
) -> None:
    nodes, seconds = given_graph
    clock = Clock(seconds)
    room = Room(threads, tuple(str(number) for number in range(gpus)))
    execute(nodes, clock, Nobody(), room)
    wants = {node.key: node.gpus for node in nodes}
    starts, end = timetable(nodes, seconds, wants, threads, gpus)
    assert starts == pytest.approx(clock.starts)
    assert end == pytest.approx(max(start + seconds[key] for key, start in starts.items()))


def test_a_wide_node_is_waited_for() -> None:
    nodes = chain(narrow=(), wide=(), last=())
    nodes[1].threads = 2
    starts, end = timetable(nodes, {"narrow": 5.0, "wide": 3.0, "last": 2.0}, {}, 2, 0)
    assert starts == {"narrow": 0.0, "wide": 5.0, "last": 8.0}
    assert end == 10.0
