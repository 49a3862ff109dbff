"""Samples opened in parallel, in order, by processes that may hang or die."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

CHUNK = 64
"""Samples that a process is given at a time."""

AHEAD = 4
"""Chunks for each process that may be done before an earlier one is."""

SENT_SECONDS = 0.2
POLL_SECONDS = 0.2

DEATHS = 3
"""Processes that may die before they opened anything."""


@dataclass(frozen=True)
class Lost:
    """What became of a sample without a result.

    Attributes:
        kind: ``stuck`` or ``died``.
        reason: in words.
    """

    kind: str
    reason: str


@dataclass
class _Chunk(Generic[Result]):
    indexes: list[int]
    todo: list[int] = field(default_factory=list)
    results: dict[int, Result | Lost] = field(default_factory=dict)


def scan(
    examine: Callable[[int], Result], indexes: Sequence[int], jobs: int, seconds: float
) -> Iterator[tuple[int, Result | Lost]]:
    """Results by index, in the order of ``indexes``; memory does not grow with their number.

    The processes are forks: ``examine`` is called in them only, and may hold anything. A sample
    that takes more than ``seconds`` is given up and its process ended; so is one whose process
    dies. Both come as ``Lost``, and the others go on.

    Args:
        examine: done to each index; what it raises ends the scan.
        indexes: samples.
        jobs: processes.
        seconds: longest time for one sample.

    Raises:
        RuntimeError: ``examine`` raised, or processes die before they open a sample.
    """
    waiting: deque[_Chunk[Result]] = deque()
    ahead: deque[_Chunk[Result]] = deque()
    workers: list[_Worker[Result]] = []
    starts = iter(range(0, len(indexes), CHUNK))
    deaths = 0
    try:
        for _ in range(min(jobs, -(-len(indexes) // CHUNK))):
            workers.append(_Worker(examine))
        while True:
            for worker in workers:
                if worker.chunk is not None:
                    continue
                if not waiting and len(ahead) < AHEAD * len(workers):
                    start = next(starts, None)
                    if start is not None:
                        some = [int(index) for index in indexes[start : start + CHUNK]]
                        ahead.append(_Chunk(some, list(some)))
                        waiting.append(ahead[-1])
                if waiting:
                    worker.give(waiting.popleft())
            if not ahead:
                return
            if not ahead[0].todo:
                done = ahead.popleft()
                for index in done.indexes:
                    yield index, done.results[index]
                continue
            wait([worker.pipe for worker in workers], POLL_SECONDS)
            for place, worker in enumerate(workers):
                lost = worker.collect(seconds)
                if lost is None:
                    continue
                chunk, workers[place] = worker.chunk, _Worker(examine)
                worker.stop()
                at = worker.at()
                if chunk is None or not worker.is_open() or at not in chunk.todo:
                    deaths += 1
                    if deaths > DEATHS:
                        raise RuntimeError(
                            f"processes end before they open a sample: {lost.reason}"
                        )
                else:
                    chunk.todo.remove(at)
                    chunk.results[at] = lost
                if chunk is not None and chunk.todo:
                    waiting.appendleft(chunk)
    finally:
        for worker in workers:
            worker.stop()


class _Worker(Generic[Result]):
    """A process, and the chunk that it works on."""

    def __init__(self, examine: Callable[[int], Result]) -> None:
        context = get_context("fork")
        self.pipe, theirs = context.Pipe()
        # Sample, and when it was begun (0: none is open).
        self._at = context.RawValue("q", -1)
        self._since = context.RawValue("d", 0.0)
        self._process = context.Process(
            target=_work, args=(examine, theirs, self._at, self._since, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()
        self.chunk: _Chunk[Result] | None = None

    def give(self, chunk: _Chunk[Result]) -> None:
        self.chunk = chunk
        self._at.value, self._since.value = -1, 0.0
        try:
            self.pipe.send(chunk.todo)
        except OSError:
            # It died in the meantime, which the next look at it tells.
            return

    def at(self) -> int:
        return int(self._at.value)

    def is_open(self) -> bool:
        return bool(self._since.value)

    def collect(self, seconds: float) -> Lost | None:
        """Take what has come; what is wrong with the process, if anything."""
        try:
            while self.pipe.poll():
                failure, results = self.pipe.recv()
                if failure:
                    raise RuntimeError(failure)
                if self.chunk is not None:
                    self.chunk.results.update(results)
                    self.chunk.todo = [i for i in self.chunk.todo if i not in results]
                    if not self.chunk.todo:
                        self.chunk = None
        except (EOFError, OSError):
            self._process.join(POLL_SECONDS)
        if not self._process.is_alive():
            code = self._process.exitcode or 0
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
            return Lost("died", f"the process that opened it ended with {how}")
        since = float(self._since.value)
        if since and time.monotonic() - since > seconds:
            return Lost("stuck", f"not done after {seconds:g} s, given up")
        return None

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _work(
    examine: Callable[[int], Any], pipe: Connection, at: Any, since: Any, parent: int
) -> None:
    # An interrupt is the parent's to handle: it ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        while not pipe.poll(1.0):
            if os.getppid() != parent:
                os._exit(1)
        done: dict[int, Any] = {}
        sent = time.monotonic()
        failure = ""
        for index in pipe.recv():
            at.value, since.value = index, time.monotonic()
            try:
                done[index] = examine(index)
            except Exception as error:
                failure = f"sample {index}: {type(error).__name__}: {error}"
                break
            finally:
                since.value = 0.0
            if time.monotonic() - sent > SENT_SECONDS:
                pipe.send(("", done))
                done, sent = {}, time.monotonic()
        pipe.send((failure, done))


def chosen(total: int, limit: int | None, seed: int = 0) -> Sequence[int]:
    """All indexes, or ``limit`` of them drawn at random by ``seed``, ascending."""
    import numpy as np

    if limit is None or limit >= total:
        return range(total)
    drawn = np.random.default_rng(seed).choice(total, limit, replace=False, shuffle=False)
    found: list[int] = np.sort(drawn).tolist()
    return found
