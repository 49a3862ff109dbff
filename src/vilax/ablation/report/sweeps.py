"""Sweeps in progress: a small file for each beside the report, written anew while it lives."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from vilax.ablation.report.model import SweepProgress
from vilax.artifacts.files import write_text

STALE = 120.0
"""Seconds after which a sweep of which nothing was heard counts as gone."""


def progress_file(folder: Path) -> Path:
    """Where this process says how far its sweep is."""
    return folder / "sweeps" / f"{socket.gethostname()}-{os.getpid()}.json"


def note(folder: Path, state: SweepProgress) -> None:
    """Say how far a sweep is."""
    write_text(progress_file(folder), json.dumps(state.model_dump(mode="json"), indent=1) + "\n")


def forget(folder: Path) -> None:
    """Say that this process's sweep has ended."""
    with contextlib.suppress(OSError):
        progress_file(folder).unlink(missing_ok=True)


def sweeps(folder: Path) -> tuple[SweepProgress, ...]:
    """Sweeps in progress, the oldest first; what a killed one has left is removed."""
    found = []
    for file in sorted((folder / "sweeps").glob("*.json")):
        try:
            state = SweepProgress.model_validate(json.loads(file.read_text(encoding="utf-8")))
            is_alive = alive(state)
        except (OSError, ValueError, ValidationError):
            is_alive = False
        if is_alive:
            found.append(state)
        else:
            file.unlink(missing_ok=True)
    return tuple(sorted(found, key=lambda state: state.since))


def alive(state: SweepProgress) -> bool:
    """Whether a sweep goes on: heard of lately, and its process is there where it can be seen."""
    age = time.time() - datetime.fromisoformat(state.updated).timestamp()
    if age > STALE:
        return False
    if state.host != socket.gethostname():
        return True
    try:
        os.kill(state.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def begin(comparisons: Sequence[str], done: int, total: int) -> SweepProgress:
    """The state of a sweep that begins."""
    moment = now()
    return SweepProgress(
        host=socket.gethostname(),
        pid=os.getpid(),
        since=moment,
        updated=moment,
        comparisons=tuple(comparisons),
        done=done,
        failed=0,
        total=total,
        running=(),
    )


def now() -> str:
    """The time, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
