"""What a graph will take: each node's time, when it starts, and what sharing saves."""

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from vilax.ablation.graph import PREPARATION, Graph, Node
from vilax.ablation.pace import Pace
from vilax.ablation.savings import Savings
from vilax.artifacts.store import Entry
from vilax.config.schema.model import ScratchLlm

Source = Literal["measured", "pace", "planned", "assumed"]
"""measured: it took that long; pace: as stored results of its kind took, by their budgets; planned:
by its FLOPs; assumed: as on another machine."""

ASSUMED = {
    "micro world": 40.0 / 2e5,
    "picture features": 190.0 / 5e5,
    "text": 200.0 / 2e6,
    "align": 29.0 / 6e6,
    "pretrain": 79.0 / 9.6e6,
    "sft": 21.0 / 1e6,
    "evaluation of text": 2.1 / 2.75e5,
    "evaluation of sft": 9.6 / 7.5e5,
    "measures of sft": 2.0 / 6.4e4,
    "measures of align": 2.0 / 6.4e4,
}
"""Seconds per unit of cost with the micro scale's LLM, where nothing like it is stored; rounded.

align, pretrain, sft, its evaluation and its measures: medians of CPU seconds over sweeps of
freezing, corpus and joint_sft, one thread each; measures of align as those of sft, of the same
documents. Evaluation of text: median of stored wall times.
Picture features: half of the CPU seconds of one run, for two threads share them. Micro world and
text: wall time on two cores, of one run each."""


@dataclass(frozen=True)
class Time:
    """What a node takes.

    Attributes:
        seconds: wall time.
        source: where that comes from.
        gpus: GPUs it takes for so long.
    """

    seconds: float
    source: Source
    gpus: int = 0

    @property
    def gpu_hours(self) -> float:
        """GPU-hours."""
        return self.seconds * self.gpus / 3600


Timer = Callable[[Node], Time | None]
"""Seconds of a node; None where nobody can tell."""


@dataclass(frozen=True)
class Forecast:
    """A graph with times.

    Attributes:
        graph: the nodes in the order in which they start.
        times: key to time, for those that can be told.
        starts: key to seconds from now until a node starts, of those to do.
        wall: seconds until all is done; None where a time is not known.
    """

    graph: Graph
    times: Mapping[str, Time]
    starts: Mapping[str, float]
    wall: float | None

    @property
    def unknown(self) -> list[Node]:
        """Nodes whose time nobody can tell."""
        return [node for key, node in self.graph.nodes.items() if key not in self.times]

    @property
    def left(self) -> float:
        """Seconds of work of the nodes to do."""
        return sum(self.times[n.key].seconds for n in self.graph.pending if n.key in self.times)

    def savings(self, unit: Callable[[Time], float], without: Collection[str] = ()) -> Savings:
        """Stages, evaluations and measures of all arms and seeds apart, against the distinct ones.

        Args:
            unit: what is counted of a time: its seconds, or its GPU-hours.
            without: names of stages to leave out, with what is evaluated or measured on them.
        """
        graph = self.graph
        wanted = [key for keys in graph.stages.values() for key in keys]
        wanted += [*graph.evaluations.values(), *graph.controls.values()]
        wanted += [*graph.measures.values(), *graph.untouched.values()]
        wanted = [key for key in wanted if graph.nodes[key].stage not in without]
        took = {key: unit(self.times[key]) if key in self.times else 0.0 for key in wanted}
        apart = sum(took[key] for key in wanted)
        return Savings(len(wanted), len(took), apart, sum(took.values()))


def forecast(graph: Graph, timer: Timer, threads: int | None, gpus: int) -> Forecast:
    """Times of all nodes, and when each starts on a machine.

    Args:
        graph: what is planned.
        timer: says what a node takes.
        threads: CPU threads to use; None: as many as are wanted.
        gpus: GPUs to use.
    """
    times = {key: time for key, node in graph.nodes.items() if (time := timer(node)) is not None}
    starts, wall = _schedule(graph.pending, times, threads, gpus)
    is_known = all(node.key in times for node in graph.pending)
    return Forecast(graph, times, starts, wall if is_known else None)


def measured_timer(graph: Graph, stored: Iterable[Entry]) -> Timer:
    """Times by what was measured: of a stored node its own, of another the pace of its like.

    Where there is none, the micro scale's times on another machine stand in; of another LLM nobody
    can tell.
    """
    pace = Pace(graph, stored)

    def time(node: Node) -> Time | None:
        if node.entry is not None:
            return Time(float(node.entry.meta.get("seconds", 0.0)), "measured")
        if (seconds := pace.likened(node)) is not None:
            return Time(seconds, "pace")
        is_like = node.kind in PREPARATION or isinstance(node.run.llm, ScratchLlm)
        if is_like and node.title in ASSUMED:
            return Time(ASSUMED[node.title] * node.cost, "assumed")
        return None

    return time


def _schedule(
    nodes: list[Node], times: Mapping[str, Time], threads: int | None, gpus: int
) -> tuple[dict[str, float], float]:
    """Seconds at which nodes start, and at which the last one ends.

    As the executor does, the first in order that fits is started; a wide one is waited for.
    """
    known = {node.key for node in nodes}
    starts: dict[str, float] = {}
    done: set[str] = set()
    running: list[tuple[float, str]] = []
    widths = {
        node.key: (node.threads if threads is None else min(node.threads, threads))
        for node in nodes
    }
    wants = {
        node.key: min(times[node.key].gpus if node.key in times else node.gpus, gpus)
        for node in nodes
    }
    free, devices, now = threads, gpus, 0.0
    while len(done) < len(nodes):
        left = devices
        for node in nodes:
            key = node.key
            if key in starts or any(need in known and need not in done for need in node.needs):
                continue
            if free is not None and widths[key] > free:
                break
            if wants[key] > left:
                left = 0
                continue
            left -= wants[key]
            devices -= wants[key]
            free = None if free is None else free - widths[key]
            starts[key] = now
            seconds = times[key].seconds if key in times else 0.0
            heapq.heappush(running, (now + seconds, key))
        now, key = heapq.heappop(running)
        done.add(key)
        devices += wants[key]
        free = None if free is None else free + widths[key]
    return starts, now
