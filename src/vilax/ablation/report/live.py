"""The report while a sweep runs: written anew as nodes end, not more often than it is worth."""

import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from vilax.ablation.collect import collect
from vilax.ablation.comparison import Resolved
from vilax.ablation.executor import Outcome, Watcher
from vilax.ablation.graph import Graph, Lookup, Node
from vilax.ablation.report import sweeps
from vilax.ablation.report.accumulate import join
from vilax.ablation.report.refresh import Gatherer
from vilax.ablation.report.write import report_folder

PAUSE = 10.0
"""Seconds between two writings at least."""
SHARE = 10.0
"""A writing that took t seconds is followed by a pause of this many times t."""
BEAT = 30.0
"""Seconds after which a sweep says again that it lives."""


class Live:
    """Watches a sweep, tells another watcher, and writes the report in a thread beside it.

    A report that cannot be written ends no sweep: stderr says why, once.

    Args:
        watcher: is told everything.
        resolved: the comparisons of the sweep.
        graph: what is to be done.
        lookup: where results are found.
        pause: seconds between two writings at least.
    """

    def __init__(
        self,
        watcher: Watcher,
        resolved: Sequence[Resolved],
        graph: Graph,
        lookup: Lookup,
        pause: float = PAUSE,
    ) -> None:
        self._watcher = watcher
        self._resolved = resolved
        self._graph = graph
        self._lookup = lookup
        self._pause = pause
        self._scale = resolved[0].scale
        self._folder = report_folder(self._scale)
        self._gatherer = Gatherer(has_examples=False)
        self._outcomes: dict[str, Outcome] = {}
        self._running: dict[str, str] = {}
        done = len(graph.nodes) - len(graph.pending)
        names = [one.name for one in resolved]
        self._state = sweeps.begin(names, done, len(graph.nodes))
        self._guard = threading.Lock()
        self._changed = threading.Event()
        self._over = threading.Event()
        self._has_complained = False
        self._thread = threading.Thread(target=self._keep_writing, name="report", daemon=True)

    def __enter__(self) -> "Live":
        self._changed.set()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._changed.set()
        self._thread.join()
        sweeps.forget(self._folder)
        if error is not None:
            # An interrupted sweep writes no last report of its own.
            self._write()

    def started(self, node: Node) -> None:
        """A worker took the node."""
        self._watcher.started(node)
        with self._guard:
            self._running[node.key] = f"{node.title} ({', '.join(node.users[:3])})"
        self._changed.set()

    def ended(self, node: Node, outcome: Outcome) -> None:
        """The node is done, failed, or cannot run."""
        self._watcher.ended(node, outcome)
        with self._guard:
            self._running.pop(node.key, None)
            self._outcomes[node.key] = outcome
        self._changed.set()

    def noted(self, line: str) -> None:
        """Something else that a user should know."""
        self._watcher.noted(line)

    def _keep_writing(self) -> None:
        while not self._over.is_set():
            self._changed.wait(BEAT)
            if self._over.is_set():
                return
            self._changed.clear()
            began = time.monotonic()
            self._note()
            self._write()
            self._rest(max(self._pause, SHARE * (time.monotonic() - began)))

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._over.is_set() and (left := end - time.monotonic()) > 0:
            self._over.wait(min(left, BEAT))
            self._note()

    def _note(self) -> None:
        with self._guard:
            state = self._state.model_copy(
                update={
                    "updated": sweeps.now(),
                    "done": self._state.done + len(self._outcomes),
                    "failed": sum(bool(one.failure) for one in self._outcomes.values()),
                    "running": tuple(self._running.values()),
                }
            )
        try:
            sweeps.note(self._folder, state)
        except OSError as error:
            self._complain(error)

    def _write(self) -> None:
        with self._guard:
            outcomes = dict(self._outcomes)
        try:
            found = [collect(one, self._graph, outcomes, self._lookup) for one in self._resolved]
            fresh = {one.resolved.name: self._gatherer.content(one) for one in found}
            join(fresh, self._scale, self._resolved[0].config_dir)
        except Exception as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        if not self._has_complained:
            self._has_complained = True
            line = f"the report is not written while the sweep runs: {error}"
            print(f"vilax: {line}", file=sys.stderr)
