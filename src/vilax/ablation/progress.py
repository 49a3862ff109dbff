"""Shows how a comparison's graph gets on: a bar on a terminal, plain lines elsewhere."""

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vilax.ablation.executor import Outcome
from vilax.ablation.graph import Graph, Node

DONE = {
    "data": "built",
    "pictures": "encoded",
    "stage": "trained",
    "evaluation": "finished",
    "measures": "took",
}
RUNNING = {
    "data": "building",
    "pictures": "encoding",
    "stage": "training",
    "evaluation": "running",
    "measures": "taking",
}
EVER = 1e9
"""Seconds over which speed is averaged: nodes are few and long."""


class Display:
    """Lines of what was reused, started and done; on a terminal also a bar with time left.

    Args:
        graph: what is to be done.
        console: where to; stderr if None.
    """

    def __init__(self, graph: Graph, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._graph = graph
        self._done = len(graph.nodes) - len(graph.pending)
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
            speed_estimate_period=EVER,
        )
        cost = sum(node.cost for node in graph.pending)
        self._all = self._progress.add_task("comparison", total=cost or 1.0)

    def __enter__(self) -> "Display":
        for node in self._graph.nodes.values():
            if node.entry is not None:
                self._line(f"{'reused':<10}{describe(node)}")
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def started(self, node: Node) -> None:
        """Show the node as running, also where it is started once more."""
        if node.key in self._bars:
            self._progress.remove_task(self._bars.pop(node.key))
        if self.console.is_terminal:
            label = escape(f"{RUNNING[node.kind]} {describe(node)}")
            self._bars[node.key] = self._progress.add_task(label, total=None)
        else:
            self._line(f"{RUNNING[node.kind]:<9} {describe(node)}")

    def ended(self, node: Node, outcome: Outcome) -> None:
        """Show how the node ended."""
        self._done += 1
        if node.key in self._bars:
            self._progress.remove_task(self._bars.pop(node.key))
        self._progress.advance(self._all, node.cost)
        count = f"[{self._done}/{len(self._graph.nodes)}]"
        if outcome.failure:
            self._line(f"{count} FAILED {describe(node)}: {outcome.failure}")
        else:
            self._line(f"{count} {DONE[node.kind]} {describe(node)} in {clock(outcome.seconds)}")

    def noted(self, line: str) -> None:
        """Show a line."""
        self._line(line)

    def _line(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True, markup=False, highlight=False)


def describe(node: Node) -> str:
    """A node and who needs it."""
    identity = node.key.partition(":")[2][:8]
    return f"{node.title} {identity} ({users(node)})"


def users(node: Node) -> str:
    """Arms and seeds that need a node, shortened where there are many."""
    shown = node.users if len(node.users) <= 4 else [*node.users[:3], f"{len(node.users) - 3} more"]
    return ", ".join(shown)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
