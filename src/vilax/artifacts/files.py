"""Atomic writes and checksums."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PIECE = 1 << 20
"""Bytes of a file that are read at a time."""


def write_text(path: Path, text: str) -> None:
    """Replace a file at once: readers see the old content or the new, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file to fill, which then takes the place of ``path`` at once and durably.

    Where the block fails, the temporary file is removed and ``path`` stays as it was.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        sync_file(temporary)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at once."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_tree(folder: Path) -> None:
    """Make everything under a folder durable, names and content."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            sync_file(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path, read: Callable[[int], None] | None = None) -> str:
    """Checksum of a file's content.

    Args:
        path: the file.
        read: is told the bytes of each piece that was read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            if read is not None:
                read(len(piece))
    return digest.hexdigest()


def manifest(
    folder: Path, tell: Callable[[int, int], None] | None = None
) -> dict[str, dict[str, Any]]:
    """Size and checksum of every file under a folder, by relative path.

    Args:
        folder: it.
        tell: is told the bytes that were read, and how many there are in all.
    """
    files = {file: file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file()}
    done = 0

    def read(number: int) -> None:
        nonlocal done
        done += number
        if tell is not None:
            tell(done, sum(files.values()))

    return {
        str(file.relative_to(folder)): {"bytes": size, "sha256": sha256(file, read)}
        for file, size in files.items()
    }


def damaged(folder: Path, expected: dict[str, dict[str, Any]]) -> list[str]:
    """Files of a manifest that are missing or changed."""
    found = []
    for name, facts in expected.items():
        file = folder / name
        is_there = file.is_file() and file.stat().st_size == facts["bytes"]
        if not is_there or sha256(file) != facts["sha256"]:
            found.append(name)
    return found
