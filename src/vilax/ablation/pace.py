"""How long the rest of a graph will take, learnt from what has run."""

from collections.abc import Mapping

from vilax.ablation.graph import Graph, Node

FOUND = 0.05
"""Share of the seconds expected below which a result was found, not made: it teaches nothing."""


class Pace:
    """Seconds per unit of cost, by what a node is.

    Stored results teach it first: what an earlier call took is known before anything has run.

    Args:
        graph: what is to be done.
    """

    def __init__(self, graph: Graph) -> None:
        self._pending = {node.key: node for node in graph.pending}
        self._seen: dict[str, tuple[float, float]] = {}
        self._widest = 1
        for node in graph.nodes.values():
            if node.entry is not None:
                self._learn(node, float(node.entry.meta.get("seconds", 0.0)))

    def ended(self, node: Node, seconds: float) -> None:
        """Learn from a node; 0 seconds, as of one that did not run, teach nothing."""
        self._pending.pop(node.key, None)
        self._learn(node, seconds)

    def _learn(self, node: Node, seconds: float) -> None:
        expected = self.seconds(node)
        if seconds <= 0 or (expected is not None and seconds < FOUND * expected):
            return
        for name in (node.title, node.kind, ""):
            known, cost = self._seen.get(name, (0.0, 0.0))
            self._seen[name] = known + seconds, cost + node.cost

    def seconds(self, node: Node) -> float | None:
        """What a node will take; None where nothing has run yet.

        Told by nodes of its title, else by those of its kind, else by all.
        """
        for name in (node.title, node.kind, ""):
            if name in self._seen:
                known, cost = self._seen[name]
                return known / cost * node.cost if cost else None
        return None

    def left(self, running: Mapping[str, float]) -> float | None:
        """Seconds until all is done; None where nothing has run yet.

        The rest is taken to run as wide as it has so far, and no faster than its longest chain.

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
        chains: dict[str, float] = {}
        # Needs come before those that need them.
        for key, node in self._pending.items():
            before = max((chains.get(need, 0.0) for need in node.needs), default=0.0)
            chains[key] = before + rest[key]
        return max(sum(rest.values()) / self._widest, max(chains.values(), default=0.0))
