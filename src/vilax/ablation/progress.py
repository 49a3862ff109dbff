"""Shows how a comparison's graph gets on: a bar on a terminal, plain lines elsewhere."""

import time
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
)
from rich.table import Column

from vilax.ablation.executor import Outcome
from vilax.ablation.graph import Graph, Node
from vilax.ablation.pace import Pace

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
WIDE = 72
"""Columns of a node's label on a terminal; the rest of a longer one is cut."""
FEW = 3
"""Arms and seeds that are named one by one."""


class Display:
    """Lines of what was reused, started and done; on a terminal also a bar with time left.

    Args:
        graph: what is to be done.
        console: where to; stderr if None.
        threads: CPU threads that may be used at once; None: nobody knows.
        gpus: GPUs that may be used at once.
    """

    def __init__(
        self,
        graph: Graph,
        console: Console | None = None,
        threads: int | None = None,
        gpus: int = 0,
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._graph = graph
        self._done = len(graph.nodes) - len(graph.pending)
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(
                "{task.description}",
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=WIDE),
            ),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._pace = Pace(graph, threads=threads, gpus=gpus)
        self._began: dict[str, float] = {}
        cost = sum(node.cost for node in graph.pending)
        self._all = self._progress.add_task("all", total=cost or 1.0, left=self._left())

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
        self._began[node.key] = time.monotonic()
        if node.key in self._bars:
            self._progress.remove_task(self._bars.pop(node.key))
        if self.console.is_terminal:
            label = escape(f"{RUNNING[node.kind]} {describe(node)}")
            self._bars[node.key] = self._progress.add_task(label, total=None, left="")
        else:
            self._line(f"{RUNNING[node.kind]:<9} {describe(node)}")

    def ended(self, node: Node, outcome: Outcome) -> None:
        """Show how the node ended."""
        self._done += 1
        # Asked while it still counts as running: how many ran beside it is part of the pace.
        self._left()
        self._began.pop(node.key, None)
        self._pace.ended(node, 0.0 if outcome.failure else outcome.seconds)
        if node.key in self._bars:
            self._progress.remove_task(self._bars.pop(node.key))
        left = self._left()
        self._progress.update(self._all, advance=node.cost, left=left)
        count = f"[{self._done}/{len(self._graph.nodes)}]"
        if outcome.failure:
            self._line(f"{count} FAILED {describe(node)}: {outcome.failure}")
        else:
            rest = f"; {left}" if left else ""
            took = clock(outcome.seconds)
            self._line(f"{count} {DONE[node.kind]} {describe(node)} in {took}{rest}")

    def noted(self, line: str) -> None:
        """Show a line."""
        self._line(line)

    def _left(self) -> str:
        now = time.monotonic()
        running = {key: now - began for key, began in self._began.items()}
        left = self._pace.left(running)
        return "" if not left else f"about {clock(left)} left"

    def _line(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True, markup=False, highlight=False)


def describe(node: Node) -> str:
    """A node and who needs it."""
    identity = node.key.partition(":")[2][:8]
    return f"{node.title} {identity} ({users(node)})"


def users(node: Node) -> str:
    """Arms and seeds that need a node; where they are many, which arms of how many seeds."""
    if len(node.users) <= FEW:
        return ", ".join(node.users)
    arms: dict[str, dict[str, None]] = {}
    seeds: dict[str, None] = {}
    # The control is no arm; where arms need the node too, they say enough.
    labels = [label for label in node.users if not label.startswith("control/")] or node.users
    for label in labels:
        comparison, _, place = label.rpartition(":")
        arm, _, seed = place.rpartition("/")
        arms.setdefault(comparison, {})[arm] = None
        seeds[seed] = None
    named = [f"{comparison} {_few(list(of))}".strip() for comparison, of in arms.items()]
    if len(named) > FEW:
        named = [*named[: FEW - 1], f"{len(named) - FEW + 1} more comparisons"]
    when = f"{len(seeds)} seeds" if len(seeds) > 1 else f"seed {next(iter(seeds))}"
    return f"{', '.join(named)}; {when}"


def _few(names: list[str]) -> str:
    return f"{len(names)} arms" if len(names) > FEW + 1 else "+".join(names)


def clock(seconds: float) -> str:
    """Minutes and seconds; from an hour on, hours too."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
