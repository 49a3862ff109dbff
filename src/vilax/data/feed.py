"""Rows of a rank, step by step, read here or in workers: the same in the same order either way."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vilax.data.engine import Counts, Stream
from vilax.data.workers import (
    Build,
    DataWorkerFailed,
    Sent,
    Step,
    Worker,
    restore,
    take,
    unpacked,
)


class Feed:
    """The rows of a rank's streams, step by step, and a place that can be saved at every step.

    A saved place can be restored with any number of workers.

    Args:
        build: makes the stream of a number; called in the workers where there are any.
        numbers: streams of this rank, ascending.
        rows: rows of each stream in a step.
        workers: processes that read; 0 reads in this one. At most one for each stream is used.

    Attributes:
        counts: by stream and corpus, what was done with what has been handed out.
    """

    def __init__(self, build: Build, numbers: Sequence[int], rows: int, workers: int = 0) -> None:
        self._build = build
        self._numbers = list(numbers)
        self._rows = rows
        self._workers = min(workers, len(self._numbers))
        self._start: dict[str, Any] | None = None
        self._streams: dict[int, Stream] = {}
        self._running: list[Worker] = []
        self._places: dict[int, dict[str, Any]] = {}
        self._since = 0
        self.counts: dict[int, dict[str, Counts]] = {}

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        """Rows of the next step.

        Raises:
            ConfigError: as ``Stream.__next__`` does.
            DataWorkerFailed: a worker died or hangs.
        """
        if self._workers == 0:
            self._open()
            step = {n: take(stream, self._rows) for n, stream in self._streams.items()}
            self.counts = {n: stream.counts for n, stream in self._streams.items()}
            return step
        if not self._running:
            self._running = self._start_workers()
        sent = [self._receive(worker) for worker in self._running]
        step = {}
        self._since += 1
        for part in sent:
            step |= unpacked(part)
            self.counts |= part.counts
            for number, place in (part.places or {}).items():
                self._places[number] = {"stream": place, "step": self._since}
        return {number: step[number] for number in self._numbers}

    def state(self) -> dict[str, Any]:
        """Place of each stream behind the last step, as JSON."""
        if self._workers == 0:
            self._open()
            return {str(n): {"place": s.state(), "skip": 0} for n, s in self._streams.items()}
        if self._since == 0:
            next_start = self._start or Feed(self._build, self._numbers, self._rows).state()
            return {str(n): next_start[str(n)] for n in self._numbers}
        return {
            str(n): {
                "place": self._places[n]["stream"],
                "skip": (self._since - self._places[n]["step"]) * self._rows,
            }
            for n in self._numbers
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on behind the step after which ``state`` was taken, under any number of workers.

        Raises:
            ConfigError: taken under other settings; where workers read, at the next step.
        """
        self._start = {str(n): state[str(n)] for n in self._numbers}
        self.close()
        self._places = {}
        self._since = 0
        if self._workers == 0:
            self._open()
            for number, stream in self._streams.items():
                restore(stream, self._start[str(number)])

    def close(self) -> None:
        """End the workers; the next step starts them anew from where they were last restored."""
        for worker in self._running:
            worker.stop()
        self._running = []

    def _open(self) -> None:
        if not self._streams:
            self._streams = {number: self._build(number) for number in self._numbers}

    def _start_workers(self) -> list[Worker]:
        # Tokenizers warn at each fork otherwise; one text at a time gains nothing from threads.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        shares = [self._numbers[first :: self._workers] for first in range(self._workers)]
        started: list[Worker] = []
        for share in shares:
            started.append(Worker(self._build, share, self._rows, self._start, started))
        return started

    def _receive(self, worker: Worker) -> Sent:
        sent = worker.receive()
        if sent is None:
            others = ", ".join(each.reading() for each in self._running)
            raise DataWorkerFailed(f"{worker.ending()}; the workers were reading {others}")
        if sent.failure is not None:
            raise sent.failure
        return sent
