"""Runs a graph: what may start, what has ended, what failed with it. A launcher does the work."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vilax.ablation.graph import Node
from vilax.config.schema.run import Run

Work = Callable[[str, Run, str, int], None]
"""Does a node: kind, configuration, stage, threads. A module-level function, for it is pickled."""

ATTEMPTS = 2
"""How often a node is started whose worker dies."""

LOOK_AGAIN = 2.0
"""Seconds after which a result that somebody else makes is looked for again."""


@dataclass(frozen=True)
class Outcome:
    """How a node ended.

    Attributes:
        seconds: wall time of its last attempt; 0 where it did not run.
        failure: why it failed, in a sentence; empty: it did not.
    """

    seconds: float
    failure: str = ""


class Watcher(Protocol):
    """Is told what happens; the progress display is one."""

    def started(self, node: Node) -> None:
        """A worker took the node."""

    def ended(self, node: Node, outcome: Outcome) -> None:
        """The node is done, failed, or cannot run."""

    def noted(self, line: str) -> None:
        """Something else that a user should know."""


class Ended(NamedTuple):
    """What a pool says of a node.

    Attributes:
        node: which.
        outcome: how it ended.
        has_died: whether its process or job was lost, rather than that the work failed.
    """

    node: Node
    outcome: Outcome
    has_died: bool


class Pool(Protocol):
    """Where nodes are done: a launcher (vilax.ablation.launch)."""

    ahead: bool
    """Whether it takes nodes whose needs have not ended, and holds them back itself."""

    def start(self, node: Node, devices: Sequence[str]) -> None:
        """Begin a node, on these GPUs of this machine where any are given."""

    def collect(self, timeout: float | None) -> list[Ended]:
        """Wait until something ends, at most ``timeout`` seconds where that is given."""

    def cancel(self, node: Node) -> None:
        """Take back a node that was started ahead of its needs."""

    def close(self) -> None:
        """End what runs and give back what is held."""


@dataclass(frozen=True)
class Room:
    """What may be used at once.

    Attributes:
        threads: CPU threads; None: as many as the launcher gives.
        devices: GPUs of this machine, as ``CUDA_VISIBLE_DEVICES`` names them.
    """

    threads: int | None
    devices: tuple[str, ...] = ()


def perform(kind: str, run: Run, stage: str, threads: int) -> None:
    """Do one node of a comparison's graph."""
    import torch

    from vilax.ablation import measuring, nodes

    torch.set_num_threads(threads)
    if kind == "data":
        nodes.prepare_data(run)
    elif kind == "pictures":
        nodes.encode_pictures(run)
    elif kind == "stage":
        nodes.train_stage(run, stage)
    elif kind == "measures":
        measuring.measure_stage(run, stage)
    else:
        nodes.evaluate_stage(run, stage)


def nobody(node: Node) -> str:
    """That nobody else makes a node's result."""
    return ""


def execute(
    nodes: Iterable[Node],
    pool: Pool,
    watcher: Watcher,
    room: Room,
    holder: Callable[[Node], str] = nobody,
) -> dict[str, Outcome]:
    """Run nodes, each after those it needs, as many at a time as there is room for.

    A failed node fails those that need it, and the rest goes on. A node whose worker dies is
    started once more. A node whose result somebody else is making is passed over while there is
    other work, and looked at again. On KeyboardInterrupt, or any other error here, what runs is
    ended; what was finished is in the store.

    Args:
        nodes: in the order in which they should start; needs outside of it count as done.
        pool: does them; closed at the end.
        watcher: is told about progress.
        room: what may be used at once; a node that wants more runs alone.
        holder: who else makes a node's result now, in words; empty: nobody.

    Returns:
        Key of every node to how it ended.
    """
    schedule = _Schedule(list(nodes), room, watcher, pool, holder)
    try:
        while not schedule.is_done:
            schedule.start()
            if schedule.is_idle:
                # All that could start is made by somebody else.
                time.sleep(LOOK_AGAIN)
                continue
            for ended in pool.collect(LOOK_AGAIN if schedule.held else None):
                schedule.end(ended)
    finally:
        pool.close()
    return schedule.outcomes


class _Schedule:
    """Which nodes wait, run and are done."""

    def __init__(
        self,
        nodes: list[Node],
        room: Room,
        watcher: Watcher,
        pool: Pool,
        holder: Callable[[Node], str],
    ) -> None:
        self.nodes = nodes
        self.outcomes: dict[str, Outcome] = {}
        self.held: dict[str, str] = {}
        self._room = room
        self._watcher = watcher
        self._pool = pool
        self._holder = holder
        self._known = {node.key: node for node in nodes}
        self._running: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._deaths: dict[str, int] = {}
        self._told: dict[str, str] = {}

    @property
    def is_done(self) -> bool:
        return len(self.outcomes) == len(self.nodes)

    @property
    def is_idle(self) -> bool:
        return not self._running and not self.is_done

    def start(self) -> None:
        """Start what fits; a wide node at the front is waited for, lest narrow ones starve it."""
        used = {device for _, devices in self._running.values() for device in devices}
        devices = [device for device in self._room.devices if device not in used]
        free = self._room.threads
        if free is not None:
            free -= sum(width for width, _ in self._running.values())
        self.held = {}
        for node in self.nodes:
            if node.key in self.outcomes or node.key in self._running or not self._is_ready(node):
                continue
            width = (
                node.threads
                if self._room.threads is None
                else min(node.threads, self._room.threads)
            )
            if free is not None and width > free:
                break
            wanted = min(node.gpus, len(self._room.devices))
            if wanted > len(devices):
                # Kept for it; nodes without a GPU may pass.
                devices = []
                continue
            if who := self._holder(node):
                self.held[node.key] = who
                if self._told.get(node.key) != who:
                    self._told[node.key] = who
                    self._watcher.noted(f"{node.title}: waiting for {who}; other work goes on")
                continue
            taken, devices = tuple(devices[:wanted]), devices[wanted:]
            free = None if free is None else free - width
            self._running[node.key] = (width, taken)
            self._pool.start(node, taken)
            self._watcher.started(node)

    def _is_ready(self, node: Node) -> bool:
        return all(
            key in self.outcomes or (self._pool.ahead and key in self._running)
            for key in node.needs
            if key in self._known
        )

    def end(self, ended: Ended) -> None:
        """Take note of a node's end; start it again if its worker died for the first time."""
        node, outcome, has_died = ended
        if node.key not in self._running:
            # Taken back meanwhile.
            return
        del self._running[node.key]
        if outcome.failure:
            self._take_back(node)
        if has_died:
            self._deaths[node.key] = self._deaths.get(node.key, 0) + 1
            if self._deaths[node.key] < ATTEMPTS:
                self._watcher.noted(f"{node.title}: {outcome.failure}; starting it once more")
                return
        self._settle(node, outcome)

    def _take_back(self, node: Node) -> None:
        """Take back what was started ahead of a node that is not done."""
        for other in self.nodes:
            if node.key in other.needs and other.key in self._running:
                self._pool.cancel(other)
                del self._running[other.key]
                self._take_back(other)

    def _settle(self, node: Node, outcome: Outcome) -> None:
        self.outcomes[node.key] = outcome
        self._watcher.ended(node, outcome)
        if not outcome.failure:
            return
        for other in self.nodes:
            if node.key in other.needs and other.key not in self.outcomes:
                self._settle(other, Outcome(0.0, f"needs {node.title}, which failed"))
