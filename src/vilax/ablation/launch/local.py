"""Processes of this machine that stay, each importing once; with GPUs, each keeps its own."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from vilax.ablation.executor import Ended, Outcome, Work, perform
from vilax.ablation.graph import Node
from vilax.ablation.launch.task import attempt, task_of
from vilax.config.locate import outputs_dir

SPAWN = multiprocessing.get_context("spawn")


@dataclass
class _Worker:
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    devices: tuple[str, ...]
    node: Node | None = None
    began: float = 0.0


class LocalPool:
    """Worker processes; one more is started whenever none is idle.

    Args:
        work: what a worker does.
    """

    ahead = False

    def __init__(self, work: Work = perform) -> None:
        self._work = work
        self._workers: list[_Worker] = []
        self._hired = 0
        self._logs = outputs_dir() / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)

    def start(self, node: Node, devices: Sequence[str]) -> None:
        """Give a node to an idle worker, one that has these GPUs already where there are any.

        A process cannot change its GPU once it has used one, so a worker keeps what it was hired
        with; an idle one that holds memory of these GPUs is let go.
        """
        wanted = tuple(devices)
        idle = [worker for worker in self._workers if worker.node is None]
        same = [worker for worker in idle if worker.devices == wanted]
        for worker in idle:
            if worker.devices != wanted and {*worker.devices} & {*wanted}:
                self._dismiss(worker)
        worker = same[0] if same else self._hire(wanted)
        worker.node, worker.began = node, time.monotonic()
        try:
            worker.pipe.send(task_of(node))
        except OSError:
            # It died while idle: its end is noticed by collect, as that of any other.
            return

    def _hire(self, devices: tuple[str, ...]) -> _Worker:
        ours, theirs = SPAWN.Pipe()
        log = self._logs / f"worker-{self._hired}.log"
        self._hired += 1
        process = SPAWN.Process(
            target=_serve, args=(theirs, self._work, str(log), devices), daemon=False
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours, devices)
        self._workers.append(worker)
        return worker

    def _dismiss(self, worker: _Worker) -> None:
        worker.pipe.close()
        worker.process.join()
        self._workers.remove(worker)

    def collect(self, timeout: float | None) -> list[Ended]:
        """Wait until a worker answers or dies, or until the time is up."""
        busy = [worker for worker in self._workers if worker.node is not None]
        wait([worker.pipe for worker in busy], timeout)
        ended: list[Ended] = []
        for worker in busy:
            if not worker.pipe.poll():
                continue
            node, seconds = worker.node, time.monotonic() - worker.began
            assert node is not None
            try:
                ended.append(Ended(node, Outcome(seconds, worker.pipe.recv()), False))
                worker.node = None
            except (EOFError, OSError):
                worker.process.join()
                self._workers.remove(worker)
                reason = _death(worker.process.exitcode)
                ended.append(Ended(node, Outcome(seconds, f"its process {reason}"), True))
        return ended

    def cancel(self, node: Node) -> None:
        """Nothing: no node waits here."""

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


def _serve(pipe: "Connection[Any, Any]", work: Work, log: str, devices: tuple[str, ...]) -> None:
    """A worker: does node after node until the pipe closes. What it prints goes to its log."""
    # A group of its own: Ctrl-C reaches the command alone, which then ends its workers.
    os.setpgid(0, 0)
    end_with_parent()
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    print_to(Path(log))
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(attempt(work, task, log))


def print_to(log: Path) -> None:
    """Append what this process prints from now on to a file."""
    with log.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def end_with_parent() -> None:
    """Die when the parent is gone: a killed command leaves nobody behind who holds a lock."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
