"""In which order nodes start: what many need, and what lets the next claim be judged soonest."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from vilax.ablation.comparison import Resolved
from vilax.ablation.contrast import contrast
from vilax.ablation.scalars import trained_stage
from vilax.config.schema.comparison import Endpoint

if TYPE_CHECKING:
    from vilax.ablation.graph import Node


Place = tuple[str, str, int]
"""Comparison, arm and seed."""

PREPARATION = ("data", "pictures")
"""Kinds of nodes that make what stages read."""


def rounds(
    comparisons: Sequence[Resolved],
    evaluations: Mapping[Place, str],
    measures: Mapping[Place, str],
    controls: Mapping[tuple[str, int], str],
    trained: Mapping[Place, Mapping[str, str]],
) -> list[list[set[str]]]:
    """For each seed in turn, the nodes that each claim needs before it can be judged there.

    Behind a comparison's claims come its other arms, and what is measured on them.

    Args:
        comparisons: whose claims.
        evaluations: key of each arm's evaluation.
        measures: key of each arm's measures, where it has them.
        controls: comparison and seed to the key of the base LLM's evaluation.
        trained: keys of each arm's stages by their names.
    """

    def asked(endpoint: Endpoint, place: Place) -> set[str]:
        if stage := trained_stage(endpoint.measure):
            key = trained.get(place, {}).get(stage)
        else:
            key = (measures if endpoint.measure else evaluations).get(place)
        return set() if key is None else {key}

    found: list[list[set[str]]] = []
    for turn in range(max((len(one.seeds) for one in comparisons), default=0)):
        goals: list[set[str]] = []
        for one in comparisons:
            for seed in one.seeds[turn : turn + 1]:
                base = {controls[one.name, seed]} if (one.name, seed) in controls else set()
                for claim in one.comparison.claims.values():
                    endpoint = one.comparison.endpoints[claim.endpoint]
                    needed = [asked(endpoint, (one.name, a, seed)) for a in contrast(claim).arms]
                    goals.append(base.union(*needed))
                places = [(one.name, arm, seed) for arm in one.arms]
                every = [
                    keys[place]
                    for place in places
                    for keys in (evaluations, measures)
                    if place in keys
                ]
                goals.append(base.union(every))
        found.append(goals)
    return found


def in_order(
    nodes: dict[str, "Node"], goals: Sequence[Sequence[Collection[str]]] = ()
) -> dict[str, "Node"]:
    """Each node after those it needs.

    Goals are taken round by round, so that every claim has a first figure before any gets its
    second seed. Within a round that with the least work left comes next; work that goals share
    counts for each of them until it is done, so what brings one closer brings all closer. On the
    way to a goal the node that most arms need comes first; of equally shared ones, that in front of
    the most work, lest it be left to the end with nothing to run beside it. Data and pictures go
    first.

    Args:
        nodes: key to node.
        goals: for each round its goals, each the keys of nodes that are wanted together.
    """
    work = _Work(nodes)
    placed: dict[str, Node] = {}

    def place(wanted: Collection[str]) -> None:
        waiting = [key for key in nodes if key in wanted and key not in placed]
        while waiting:
            ready = [key for key in waiting if all(need in placed for need in nodes[key].needs)]
            chosen = max(ready, key=lambda key: (len(nodes[key].users), work.ahead(key)))
            placed[chosen] = nodes[chosen]
            waiting.remove(chosen)

    for turn in goals:
        left = [work.behind(goal) for goal in turn]
        # They want several threads for seconds: later on each would leave cores idle until as many
        # are free, which is minutes.
        place({key for keys in left for key in keys if nodes[key].kind in PREPARATION})
        while left:
            following = min(left, key=lambda keys: work.cost(keys - placed.keys()))
            left.remove(following)
            place(following)
    place(nodes.keys())
    return placed


class _Work:
    """What lies in front of nodes and behind them."""

    def __init__(self, nodes: dict[str, "Node"]) -> None:
        self._nodes = nodes
        self._after: dict[str, list[str]] = {key: [] for key in nodes}
        for node in nodes.values():
            for need in node.needs:
                self._after[need].append(node.key)
        self._ahead: dict[str, float] = {}
        self._behind: dict[str, frozenset[str]] = {}

    def cost(self, keys: Collection[str]) -> float:
        """Work of those that are not stored."""
        return sum(self._nodes[key].cost for key in keys if self._nodes[key].entry is None)

    def ahead(self, key: str) -> float:
        """Work of a node and the longest chain that waits for it."""
        if key not in self._ahead:
            longest = max((self.ahead(other) for other in self._after[key]), default=0.0)
            self._ahead[key] = self._nodes[key].cost + longest
        return self._ahead[key]

    def behind(self, keys: Collection[str]) -> frozenset[str]:
        """Nodes with all that they need."""
        found = frozenset(keys)
        for key in keys:
            if key not in self._behind:
                needs = self._nodes[key].needs
                self._behind[key] = self.behind(needs) | {key} if needs else frozenset({key})
            found |= self._behind[key]
        return found
