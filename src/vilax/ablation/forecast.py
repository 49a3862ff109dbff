"""What a graph will take: each node's time, when it starts, and what sharing saves."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from vilax.ablation.assumed import assumed_seconds
from vilax.ablation.graph import Graph, Node
from vilax.ablation.pace import Pace
from vilax.ablation.savings import Savings
from vilax.ablation.timetable import timetable
from vilax.artifacts.store import Entry

Source = Literal["measured", "pace", "planned", "assumed"]
"""measured: it took that long; pace: as stored results of its kind took, by their budgets; planned:
by its FLOPs; assumed: as on another machine."""


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
    seconds = {key: time.seconds for key, time in times.items()}
    wants = {n.key: times[n.key].gpus if n.key in times else n.gpus for n in graph.pending}
    starts, wall = timetable(graph.pending, seconds, wants, threads, gpus)
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
        assumed = assumed_seconds(node)
        return None if assumed is None else Time(assumed, "assumed")

    return time
