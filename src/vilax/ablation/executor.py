"""Runs a graph on this machine: a few worker processes that stay, each importing once."""

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from vilax.ablation.graph import Node
from vilax.config.errors import ConfigError
from vilax.config.locate import outputs_dir
from vilax.config.schema.run import Run

Work = Callable[[str, Run, str, int], None]
"""Does a node: kind, configuration, stage, threads. A module-level function, for it is pickled."""

ATTEMPTS = 2
"""How often a node is started whose worker dies."""

SPAWN = multiprocessing.get_context("spawn")


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


def perform(kind: str, run: Run, stage: str, threads: int) -> None:
    """Do one node of a comparison's graph."""
    import torch

    from vilax.ablation import nodes

    torch.set_num_threads(threads)
    if kind == "data":
        nodes.prepare_data(run)
    elif kind == "pictures":
        nodes.encode_pictures(run)
    elif kind == "stage":
        nodes.train_stage(run, stage)
    else:
        nodes.evaluate_stage(run, stage)


def execute(
    nodes: Iterable[Node], jobs: int, watcher: Watcher, work: Work = perform
) -> dict[str, Outcome]:
    """Run nodes, each after those it needs, as many at a time as their threads allow.

    A failed node fails those that need it, and the rest goes on. A worker that dies is replaced
    and its node started once more. On KeyboardInterrupt, or any other error here, the workers are
    ended; what they had finished is in the store.

    Args:
        nodes: in the order in which they should start; needs outside of it count as done.
        jobs: CPU threads to use; a node that wants more runs alone.
        watcher: is told about progress.
        work: what a worker does.

    Returns:
        Key of every node to how it ended.
    """
    schedule = _Schedule(list(nodes), max(1, jobs), watcher)
    pool = _Pool(work)
    try:
        while not schedule.is_done:
            for node in schedule.startable():
                pool.start(node)
                watcher.started(node)
            if pool.busy:
                for node, outcome, has_died in pool.collect():
                    schedule.end(node, outcome, has_died)
    finally:
        pool.close()
    return schedule.outcomes


class _Schedule:
    """Which nodes wait, run and are done."""

    def __init__(self, nodes: list[Node], slots: int, watcher: Watcher) -> None:
        self.nodes = nodes
        self.slots = slots
        self.watcher = watcher
        self.outcomes: dict[str, Outcome] = {}
        self._known = {node.key for node in nodes}
        self._running: dict[str, int] = {}
        self._deaths: dict[str, int] = {}

    @property
    def is_done(self) -> bool:
        return len(self.outcomes) == len(self.nodes)

    def startable(self) -> list[Node]:
        """Nodes to start now; a wide one at the front is waited for, lest narrow ones starve it."""
        found = []
        free = self.slots - sum(self._running.values())
        for node in self.nodes:
            if node.key in self.outcomes or node.key in self._running or not self._is_ready(node):
                continue
            width = min(node.threads, self.slots)
            if width > free:
                break
            free -= width
            self._running[node.key] = width
            found.append(node)
        return found

    def _is_ready(self, node: Node) -> bool:
        return all(key in self.outcomes for key in node.needs if key in self._known)

    def end(self, node: Node, outcome: Outcome, has_died: bool) -> None:
        """Take note of a node's end; start it again if its worker died for the first time."""
        del self._running[node.key]
        if has_died:
            self._deaths[node.key] = self._deaths.get(node.key, 0) + 1
            if self._deaths[node.key] < ATTEMPTS:
                self.watcher.noted(f"{node.title}: {outcome.failure}; starting it once more")
                return
        self._settle(node, outcome)

    def _settle(self, node: Node, outcome: Outcome) -> None:
        self.outcomes[node.key] = outcome
        self.watcher.ended(node, outcome)
        if not outcome.failure:
            return
        for other in self.nodes:
            if node.key in other.needs and other.key not in self.outcomes:
                self._settle(other, Outcome(0.0, f"needs {node.title}, which failed"))


@dataclass
class _Worker:
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    node: Node | None = None
    began: float = 0.0


class _Pool:
    """Worker processes; one more is started whenever none is idle."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._workers: list[_Worker] = []
        self._hired = 0
        self._logs = outputs_dir() / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)

    @property
    def busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.node is not None]

    def start(self, node: Node) -> None:
        """Give a node to an idle worker."""
        idle = [worker for worker in self._workers if worker.node is None]
        worker = idle[0] if idle else self._hire()
        worker.node, worker.began = node, time.monotonic()
        try:
            worker.pipe.send((node.kind, node.run.model_dump_json(), node.stage, node.threads))
        except OSError:
            # It died while idle: its end is noticed by collect, as that of any other.
            return

    def _hire(self) -> _Worker:
        ours, theirs = SPAWN.Pipe()
        log = self._logs / f"worker-{self._hired}.log"
        self._hired += 1
        process = SPAWN.Process(target=_serve, args=(theirs, self._work, str(log)), daemon=False)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def collect(self) -> list[tuple[Node, Outcome, bool]]:
        """Wait until a worker answers or dies.

        Returns:
            Nodes with how they ended, and whether the worker died over it.
        """
        busy = self.busy
        wait([worker.pipe for worker in busy])
        ended: list[tuple[Node, Outcome, bool]] = []
        for worker in busy:
            if not worker.pipe.poll():
                continue
            node, seconds = worker.node, time.monotonic() - worker.began
            assert node is not None
            try:
                ended.append((node, Outcome(seconds, worker.pipe.recv()), False))
                worker.node = None
            except (EOFError, OSError):
                worker.process.join()
                self._workers.remove(worker)
                reason = _death(worker.process.exitcode)
                ended.append((node, Outcome(seconds, f"its process {reason}"), True))
        return ended

    def close(self) -> None:
        """End all workers; busy ones are killed."""
        for worker in self._workers:
            worker.pipe.close()
            if worker.node is not None:
                _signal(worker.process, signal.SIGTERM)
        for worker in self._workers:
            worker.process.join(timeout=5)
            if worker.process.is_alive():
                _signal(worker.process, signal.SIGKILL)
                worker.process.join()


def _signal(process: BaseProcess, number: signal.Signals) -> None:
    """Signal a worker with the processes that it started; they are a group of their own."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        # Too young to lead its group, or gone.
        process.terminate()


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"ended with exit code {code}"


def _serve(pipe: "Connection[Any, Any]", work: Work, log: str) -> None:
    """A worker: does node after node until the pipe closes. What it prints goes to its log."""
    # A group of its own: Ctrl-C reaches the command alone, which then ends its workers.
    os.setpgid(0, 0)
    _end_with_parent()
    with Path(log).open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    while True:
        try:
            kind, config, stage, threads = pipe.recv()
        except EOFError:
            return
        print(f"--- {kind} {stage}", file=sys.stderr, flush=True)
        failure = ""
        try:
            work(kind, Run.model_validate_json(config), stage, threads)
        except ConfigError as error:
            failure = str(error)
        except Exception as error:
            traceback.print_exc()
            failure = f"{type(error).__name__}: {error} (traceback in {log})"
        sys.stdout.flush()
        sys.stderr.flush()
        pipe.send(failure)


def _end_with_parent() -> None:
    """Die when the parent is gone: a killed command leaves nobody behind who holds a lock."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
