"""Processes that read some of a rank's streams, a few steps ahead, and send their rows."""

import contextlib
import copy
import pickle
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vilax.data.engine import Counts, Stream
from vilax.data.packing import Row
from vilax.data.pictures import laid_together, taken_apart, without_pixels

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
class Sent:
    """What a worker sends for one step; pictures lie in shared memory."""

    rows: Step
    pictures: "Tensor | None"
    counts: dict[int, dict[str, Counts]]
    places: dict[int, dict[str, Any]] | None
    failure: Exception | None = None


class Worker:
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
        others: "Sequence[Worker]",
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

    def receive(self) -> Sent | None:
        """What the worker sends next; None if it died, or sends nothing for too long."""
        try:
            if self._receiver.poll(STALLED_SECONDS):
                sent: Sent = self._receiver.recv()
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

    ahead: queue.Queue[Sent | None] = queue.Queue(AHEAD)
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

    def put(sent: Sent | None) -> None:
        while not is_over.is_set():
            with contextlib.suppress(queue.Full):
                return ahead.put(sent, timeout=0.1)
        return None

    try:
        streams = {number: build(number) for number in numbers}
        for number, stream in streams.items():
            stream.watch = watch
            if start is not None:
                restore(stream, start[str(number)])
        for sent in _steps(streams, rows):
            put(sent)
            if is_over.is_set():
                return
    except Exception as error:
        put(Sent({}, None, {}, None, _sendable(error)))
        put(None)
        thread.join()


def _sendable(error: Exception) -> Exception:
    """The error itself, or its text where it cannot be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made two calls ago, in this process
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error


def take(stream: Stream, rows: int) -> list[Row]:
    return [next(stream) for _ in range(rows)]


def restore(stream: Stream, start: Mapping[str, Any]) -> None:
    stream.restore(start["place"])
    for _ in range(start["skip"]):
        next(stream)


def _steps(streams: Mapping[int, Stream], rows: int) -> Iterator[Sent]:
    saved = -SNAPSHOT_SECONDS
    while True:
        step = {number: take(stream, rows) for number, stream in streams.items()}
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
) -> Sent:
    """Pixels of all rows go as one tensor, which torch hands over in shared memory."""
    import torch

    pixels = laid_together([p for rows in step.values() for row in rows for p in row.images])
    if pixels is None:
        return Sent(step, None, counts, places)
    bare = {
        number: [replace(row, images=tuple(map(without_pixels, row.images))) for row in rows]
        for number, rows in step.items()
    }
    return Sent(bare, torch.from_numpy(pixels), counts, places)


def unpacked(sent: Sent) -> Step:
    if sent.pictures is None:
        return sent.rows
    bare = [p for rows in sent.rows.values() for row in rows for p in row.images]
    pictures = taken_apart(bare, sent.pictures.numpy())
    return {
        number: [replace(row, images=tuple(next(pictures) for _ in row.images)) for row in rows]
        for number, rows in sent.rows.items()
    }
