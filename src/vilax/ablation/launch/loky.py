"""joblib's process pool (loky), for machines where other tools already use it."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from vilax.ablation.executor import Ended, Outcome, Work, perform
from vilax.ablation.graph import Node
from vilax.ablation.launch.local import print_to
from vilax.ablation.launch.task import Task, attempt, task_of
from vilax.config.locate import outputs_dir


class JoblibPool:
    """Workers that loky starts and reuses.

    When one worker is killed, loky gives up all that run beside it; they are started once more.

    Args:
        jobs: processes at most.
        work: what a worker does.

    Raises:
        ConfigError: joblib is not installed.
    """

    ahead = False

    def __init__(self, jobs: int, work: Work = perform) -> None:
        self._jobs = jobs
        self._work = work
        self._logs = outputs_dir() / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._executor: Any = None
        self._running: dict[Future[str], tuple[Node, float]] = {}

    def start(self, node: Node, devices: Sequence[str]) -> None:
        """Hand a node to the pool; its workers see all GPUs that this command sees."""
        if self._executor is None:
            self._executor = self._open()
        future = self._executor.submit(_do, self._work, task_of(node), str(self._logs))
        self._running[future] = node, time.monotonic()

    def _open(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        return ProcessPoolExecutor(
            self._jobs, initializer=_begin, initargs=(str(self._logs), os.getpid())
        )

    def collect(self, timeout: float | None) -> list[Ended]:
        """Wait until a node ends, or until the time is up."""
        done, _ = wait(self._running, timeout, FIRST_COMPLETED)
        ended: list[Ended] = []
        for future in done:
            node, began = self._running.pop(future)
            seconds = time.monotonic() - began
            try:
                ended.append(Ended(node, Outcome(seconds, future.result()), False))
            except BrokenProcessPool as error:
                why = f"its process, or one beside it, was lost ({type(error).__name__})"
                ended.append(Ended(node, Outcome(seconds, why), True))
                self._executor = None
        return ended

    def cancel(self, node: Node) -> None:
        """Nothing: no node waits here."""

    def close(self) -> None:
        """End all workers; busy ones are killed."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=bool(self._running))


def _log(folder: str) -> Path:
    return Path(folder) / f"joblib-{os.getpid()}.log"


def _begin(folder: str, parent: int) -> None:
    # A group of its own: Ctrl-C reaches the command alone, which then ends its workers.
    os.setpgid(0, 0)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    print_to(_log(folder))


def _end_with(parent: int) -> None:
    """Die when the parent is gone; loky leaves no pipe that tells."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


def _do(work: Work, task: Task, folder: str) -> str:
    return attempt(work, task, str(_log(folder)))
