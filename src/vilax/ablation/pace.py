"""How long the rest of a graph will take, learnt from what has run."""

from collections.abc import Iterable, Mapping

from vilax.ablation.assumed import assumed_seconds
from vilax.ablation.costs import stored_cost
from vilax.ablation.graph import PREPARATION, Graph, Node, title_of
from vilax.ablation.timetable import timetable
from vilax.artifacts.identity import canonical, science_dump
from vilax.artifacts.store import Entry

FOUND = 0.05
"""Share of the seconds expected below which a result was found, not made: it teaches nothing."""
PREPARED = 0.4
"""Share of the seconds assumed below which preparation found a part of its cache filled: it says
nothing of how fast the machine is."""


class Pace:
    """Seconds per unit of cost, by what a node is.

    Stored results teach it first: what an earlier call took is known before anything has run. Of
    what nothing like it has run, another machine's times are assumed, times how this one has
    compared with it.

    Args:
        graph: what is to be done.
        others: further stored results; those of the same LLMs teach it too.
        threads: CPU threads that may be used; None: nobody knows.
        gpus: GPUs that may be used.
    """

    def __init__(
        self,
        graph: Graph,
        others: Iterable[Entry] = (),
        threads: int | None = None,
        gpus: int = 0,
    ) -> None:
        self._threads, self._gpus = threads, gpus
        self._pending = {node.key: node for node in graph.pending}
        self._seen: dict[str, tuple[float, float]] = {}
        self._here, self._there = 0.0, 0.0
        self._widest = 1
        for node in graph.nodes.values():
            if node.entry is not None:
                self._learn(node, float(node.entry.meta.get("seconds", 0.0)))
        self._learn_from(graph, list(others))

    def _learn_from(self, graph: Graph, others: list[Entry]) -> None:
        llms = {canonical(science_dump(node.run.llm)) for node in graph.nodes.values()}
        stages = {one.identity: one for one in others if one.kind == "stage"}
        for one in others:
            stage = one if one.kind == "stage" else stages.get(str(one.parent))
            model = None if stage is None else stage.inputs.get("model", {}).get("llm")
            cost, seconds = stored_cost(one), float(one.meta.get("seconds", 0.0))
            key = f"{one.kind}:{one.identity}"
            if key in graph.nodes or model is None or canonical(model) not in llms:
                continue
            if cost > 0 and seconds > 0:
                self._add(title_of(one.kind, str(one.meta.get("name"))), one.kind, cost, seconds)

    def ended(self, node: Node, seconds: float) -> None:
        """Learn from a node; 0 seconds, as of one that did not run, teach nothing."""
        self._pending.pop(node.key, None)
        self._learn(node, seconds)

    def _learn(self, node: Node, seconds: float) -> None:
        expected = self._by(node, (node.title, node.kind, ""))
        if seconds <= 0 or (expected is not None and seconds < FOUND * expected):
            return
        self._add(node.title, node.kind, node.cost, seconds)
        assumed = assumed_seconds(node)
        if assumed is None or (node.kind in PREPARATION and seconds < PREPARED * assumed):
            return
        self._here, self._there = self._here + seconds, self._there + assumed

    def _add(self, title: str, kind: str, cost: float, seconds: float) -> None:
        for name in (title, kind, ""):
            known, before = self._seen.get(name, (0.0, 0.0))
            self._seen[name] = known + seconds, before + cost

    def likened(self, node: Node) -> float | None:
        """What a node will take by nodes of its title alone; None where none has run."""
        return self._by(node, (node.title,))

    def _by(self, node: Node, names: Iterable[str]) -> float | None:
        """What a node will take by the first of the names of which nodes have run."""
        for name in names:
            if name in self._seen:
                known, cost = self._seen[name]
                return known / cost * node.cost if cost else None
        return None

    def seconds(self, node: Node) -> float | None:
        """What a node will take; None where nobody can tell.

        Told by nodes of its title that have run, else by what they took on another machine (see
        ``ASSUMED``) and how this machine has compared with that one so far, else by nodes of its
        kind, else by all.
        """
        if (likened := self.likened(node)) is not None:
            return likened
        if (assumed := assumed_seconds(node)) is not None:
            return assumed * (self._here / self._there if self._there else 1.0)
        return self._by(node, (node.kind, ""))

    def left(self, running: Mapping[str, float]) -> float | None:
        """Seconds until all is done; None where of a node nobody can tell yet.

        Where it is known what may be used, the rest is laid out as the executor starts it. Else it
        is taken to run as wide as it has so far, and no faster than its longest chain.

        Args:
            running: key of each running node to the seconds since it was started.
        """
        self._widest = max(self._widest, len(running))
        rest: dict[str, float] = {}
        for key, node in self._pending.items():
            expected = self.seconds(node)
            if expected is None:
                return None
            rest[key] = max(0.0, expected - running.get(key, 0.0))
        if self._threads is not None:
            # What runs keeps its room.
            nodes = sorted(self._pending.values(), key=lambda node: node.key not in running)
            wants = {node.key: node.gpus for node in nodes}
            return timetable(nodes, rest, wants, self._threads, self._gpus)[1]
        chains: dict[str, float] = {}
        # Needs come before those that need them.
        for key, node in self._pending.items():
            before = max((chains.get(need, 0.0) for need in node.needs), default=0.0)
            chains[key] = before + rest[key]
        return max(sum(rest.values()) / self._widest, max(chains.values(), default=0.0))
