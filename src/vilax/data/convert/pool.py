"""Independent pieces of work side by side, with their progress."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")
Watch = Callable[[int], None]
"""Told how much is done, in the unit of the work."""

_LOOK_SECONDS = 0.2


def side_by_side(
    work: Callable[[Piece, Watch], Result],
    pieces: Sequence[tuple[Piece, int]],
    jobs: int,
    watch: Watch,
) -> Iterator[tuple[Piece, Result]]:
    """Results as they come.

    Args:
        work: what is done with a piece; a function of a module where ``jobs`` is above 1. It tells
            how much of the piece is done.
        pieces: each with its size.
        jobs: processes; 1: this one.
        watch: told how much of all pieces is done.

    Yields:
        Each piece with its result; in order where ``jobs`` is 1.
    """
    if jobs == 1 or len(pieces) < 2:
        done = 0
        for piece, size in pieces:
            yield piece, work(piece, _behind(done, watch))
            done += size
            watch(done)
        return
    # Not forked: a bar's thread may hold a lock at that moment.
    context = get_context("spawn")
    progress = context.Value("q", 0)
    size_of = [size for _, size in pieces]
    with ProcessPoolExecutor(
        min(jobs, len(pieces)), context, initializer=_begin, initargs=(progress,)
    ) as pool:
        waiting = {
            pool.submit(_do, work, piece, size_of[number]): piece
            for number, (piece, _) in enumerate(pieces)
        }
        try:
            while waiting:
                ready, _ = wait(waiting, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                watch(progress.value)
                for future in ready:
                    yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _behind(base: int, watch: Watch) -> Watch:
    return lambda at: watch(base + at)


_PROGRESS: list[Any] = []


def _begin(progress: Any) -> None:
    import signal

    # An interrupt is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _PROGRESS.append(progress)


def _do(work: Callable[[Piece, Watch], Result], piece: Piece, size: int) -> Result:
    seen = 0

    def watch(at: int) -> None:
        nonlocal seen
        with _PROGRESS[0].get_lock():
            _PROGRESS[0].value += at - seen
        seen = at

    result = work(piece, watch)
    watch(size)
    return result
