"""Streams in this process or in workers: the same rows in the same order either way."""

import contextlib
import copy
import os
import pickle
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vilax.data.engine import Counts, Stream
from vilax.data.packing import Row

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from torch import Tensor

Build = Callable[[int], Stream]
"""The stream of a number, built in the process that reads it."""

Step = dict[int, list[Row]]
"""Rows of one step by the number of their stream."""

AHEAD = 2
"""Steps that a worker may have ready."""

SECONDS_TO_END = 2.0
"""A worker that has not ended by then is killed."""

SNAPSHOT_SECONDS = 1.0
"""A worker sends the places of its streams so often; rows handed out since then are read again
after a restore, and thrown away."""

STALLED_SECONDS = 600.0
"""A worker that sends nothing for so long is taken to hang."""

NAME_BYTES = 512


class DataWorkerFailed(RuntimeError):
    """A worker died or hangs; the message names the documents that the workers were reading."""


@dataclass
class _Sent:
    """What a worker sends for one step; pictures lie in shared memory."""

    rows: Step
    pictures: "Tensor | None"
    counts: dict[int, dict[str, Counts]]
    places: dict[int, dict[str, Any]] | None
    failure: Exception | None = None


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
        self._running: list[_Worker] = []
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
            step = {n: _take(stream, self._rows) for n, stream in self._streams.items()}
            self.counts = {n: stream.counts for n, stream in self._streams.items()}
            return step
        if not self._running:
            self._running = self._start_workers()
        sent = [self._receive(worker) for worker in self._running]
        step = {}
        self._since += 1
        for part in sent:
            step |= _unpacked(part)
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
                _restore(stream, self._start[str(number)])

    def close(self) -> None:
        """End the workers; the next step starts them anew from where they were last restored."""
        for worker in self._running:
            worker.stop()
        self._running = []

    def _open(self) -> None:
        if not self._streams:
            self._streams = {number: self._build(number) for number in self._numbers}

    def _start_workers(self) -> list["_Worker"]:
        # Tokenizers warn at each fork otherwise; one text at a time gains nothing from threads.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        shares = [self._numbers[first :: self._workers] for first in range(self._workers)]
        started: list[_Worker] = []
        for share in shares:
            started.append(_Worker(self._build, share, self._rows, self._start, started))
        return started

    def _receive(self, worker: "_Worker") -> _Sent:
        sent = worker.receive()
        if sent is None:
            others = ", ".join(each.reading() for each in self._running)
            raise DataWorkerFailed(f"{worker.ending()}; the workers were reading {others}")
        if sent.failure is not None:
            raise sent.failure
        return sent


class _Worker:
    """A process that reads some of the streams, a few steps ahead.

    It has a pipe of its own, whose writing end only the process holds: when it dies, in whatever it
    is doing, the reading end comes to an end as well.

    Args:
        build: makes the stream of a number.
        numbers: the streams.
        rows: rows of each stream in a step.
        start: places to go on from.
        others: reading ends of workers started before, which the new process must not keep open.
    """

    def __init__(
        self,
        build: Build,
        numbers: list[int],
        rows: int,
        start: Mapping[str, Any] | None,
        others: "Sequence[_Worker]",
    ) -> None:
        # Torch's own pipes hand tensors over in shared memory.
        from torch.multiprocessing import get_context

        context = get_context("fork")
        self._receiver, sender = context.Pipe(duplex=False)
        self._reading = context.RawArray("c", NAME_BYTES)
        unused = [self._receiver, *(other._receiver for other in others)]
        self._process = context.Process(
            target=_work, args=(build, numbers, rows, start, sender, self._reading, unused)
        )
        self._process.daemon = True
        self._process.start()
        sender.close()

    def receive(self) -> _Sent | None:
        """What the worker sends next; None if it died, or sends nothing for too long."""
        try:
            if self._receiver.poll(STALLED_SECONDS):
                sent: _Sent = self._receiver.recv()
                return sent
        except (OSError, EOFError):
            self._process.join(SECONDS_TO_END)
        return None

    def reading(self) -> str:
        """Name of the document that the worker began to read last."""
        return bytes(self._reading.raw).split(b"\0")[0].decode("utf-8", "replace") or "nothing"

    def ending(self) -> str:
        """What became of the worker."""
        if self._process.is_alive():
            return f"a data worker sent nothing for {STALLED_SECONDS:g} s"
        return f"a data worker ended with code {self._process.exitcode}"

    def stop(self) -> None:
        """End the process; what it had read ahead is dropped."""
        self._process.terminate()
        self._process.join(SECONDS_TO_END)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._receiver.close()


def _work(
    build: Build,
    numbers: list[int],
    rows: int,
    start: Mapping[str, Any] | None,
    sender: "Connection",
    reading: Any,
    unused: "Sequence[Connection]",
) -> None:
    import torch

    torch.set_num_threads(1)
    # An interrupt is the parent's to handle: it ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for receiver in unused:
        receiver.close()

    def watch(name: str) -> None:
        reading.raw = name.encode()[: NAME_BYTES - 1].ljust(NAME_BYTES, b"\0")

    ahead: queue.Queue[_Sent | None] = queue.Queue(AHEAD)
    is_over = threading.Event()

    def send() -> None:
        try:
            while (sent := ahead.get()) is not None:
                sender.send(sent)
        except OSError:
            # Nobody listens any more.
            pass
        finally:
            is_over.set()

    signal.signal(signal.SIGTERM, lambda *_: is_over.set())
    thread = threading.Thread(target=send, daemon=True)
    thread.start()

    def put(sent: _Sent | None) -> None:
        while not is_over.is_set():
            with contextlib.suppress(queue.Full):
                return ahead.put(sent, timeout=0.1)
        return None

    try:
        streams = {number: build(number) for number in numbers}
        for number, stream in streams.items():
            stream.watch = watch
            if start is not None:
                _restore(stream, start[str(number)])
        for sent in _steps(streams, rows):
            put(sent)
            if is_over.is_set():
                return
    except Exception as error:
        put(_Sent({}, None, {}, None, _sendable(error)))
        put(None)
        thread.join()


def _sendable(error: Exception) -> Exception:
    """The error itself, or its text where it cannot be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made two calls ago, in this process
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error


def _take(stream: Stream, rows: int) -> list[Row]:
    return [next(stream) for _ in range(rows)]


def _restore(stream: Stream, start: Mapping[str, Any]) -> None:
    stream.restore(start["place"])
    for _ in range(start["skip"]):
        next(stream)


def _steps(streams: Mapping[int, Stream], rows: int) -> Iterator[_Sent]:
    saved = -SNAPSHOT_SECONDS
    while True:
        step = {number: _take(stream, rows) for number, stream in streams.items()}
        places = None
        if time.monotonic() - saved >= SNAPSHOT_SECONDS:
            places = {number: stream.state() for number, stream in streams.items()}
            saved = time.monotonic()
        # Copies: what is sent is pickled by another thread, while the stream goes on counting.
        counts = {number: copy.deepcopy(stream.counts) for number, stream in streams.items()}
        yield _packed(step, counts, places)


def _packed(
    step: Step,
    counts: dict[int, dict[str, Counts]],
    places: dict[int, dict[str, Any]] | None,
) -> _Sent:
    """Pixels of all rows go as one tensor, which torch hands over in shared memory."""
    import torch

    pixels = [p for rows in step.values() for row in rows for p in row.images]
    if not pixels or not all(isinstance(p, np.ndarray) for p in pixels):
        return _Sent(step, None, counts, places)
    bare = {
        number: [replace(row, images=(b"",) * len(row.images)) for row in rows]
        for number, rows in step.items()
    }
    return _Sent(bare, torch.from_numpy(np.stack(pixels)), counts, places)


def _unpacked(sent: _Sent) -> Step:
    if sent.pictures is None:
        return sent.rows
    pixels = iter(sent.pictures.numpy())
    return {
        number: [replace(row, images=tuple(next(pixels) for _ in row.images)) for row in rows]
        for number, rows in sent.rows.items()
    }
