"""How far reading and writing of weights have come, for whoever shows it."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from vilax.config.errors import ConfigError

Tell = Callable[[str, int, int], None]
"""Told what is being done, the bytes of it that are done, and how many there are in all; 0 of 0
where it cannot be counted."""

SECONDS = 0.2
"""Between two looks at a folder that is being written."""


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def bytes_of(*modules: nn.Module | None) -> int:
    """Bytes of the weights of modules."""
    tensors = [t for one in modules if one is not None for t in one.state_dict().values()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@contextmanager
def writing(folder: Path, total: int, tell: Tell) -> Iterator[None]:
    """Tell how much lies in a folder while the block fills it, by whatever library.

    Args:
        folder: it.
        total: bytes that it will hold.
        tell: is told, from a thread of its own.

    Raises:
        ConfigError: they do not fit on the disk.
    """
    free = shutil.disk_usage(folder).free
    if free < total:
        raise ConfigError(f"--to: {folder.parent} has {free:,} bytes free, {total:,} are needed")
    if tell is silent:
        yield
        return
    done = threading.Event()

    def look() -> None:
        while not done.wait(SECONDS):
            tell("writing", min(_size(folder), total), total)

    tell("writing", 0, total)
    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _size(folder: Path) -> int:
    found = 0
    for file in folder.rglob("*"):
        try:
            found += file.stat().st_size
        except FileNotFoundError:
            # Renamed since it was listed.
            continue
    return found
