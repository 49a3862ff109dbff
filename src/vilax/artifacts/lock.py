"""A lock file that outlives no process: one whose holder is gone is taken over."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout


class WorkLock:
    """Exclusive right to make one result, on one machine or on a shared file system.

    The operating system's own lock is released when its holder dies, however it dies, so that no
    lock is ever stale on one machine. Beside it a note says who holds it. Between machines this
    rests on the shared file system's locks (NFS 4 and Lustre mounted with ``flock`` have them).

    Args:
        path: the lock file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(str(path))
        self._note = path.with_suffix(".holder.json")

    def __enter__(self) -> "WorkLock":
        told = False
        while True:
            try:
                self._lock.acquire(timeout=0 if not told else 2)
                break
            except Timeout:
                if not told:
                    print(f"waiting for {self.holder()}", file=sys.stderr, flush=True)
                told = True
        note = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}
        # On a full disk the right is held all the same, by nobody in particular.
        with suppress(OSError):
            self._note.write_text(json.dumps(note))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._note.unlink(missing_ok=True)
        self._lock.release()

    def holder(self) -> str:
        """Who holds it and what for, in words, as far as its note says."""
        what = self._note.name.split(".")[0][:18]
        try:
            note: dict[str, Any] = json.loads(self._note.read_text())
            return f"process {note['pid']} on {note['host']} to finish {what}"
        except (OSError, ValueError, KeyError):
            return f"another process to finish {what}"

    @contextmanager
    def attempt(self) -> Iterator[bool]:
        """Hold the right for the block if nobody does; says whether that was so."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            self._lock.release()
