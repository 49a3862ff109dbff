"""Rows of annotations of videos that are neither an array nor lines of JSON."""

import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from vilax.config.errors import ConfigError
from vilax.data.formats.files import parse


class Rows(Protocol):
    """Records of annotation files by index."""

    def __len__(self) -> int:
        """Number of records, the broken ones included."""
        ...

    def key(self, index: int) -> str:
        """Name of record ``index``."""
        ...

    def file_of(self, index: int) -> int:
        """Number of the file that holds record ``index``."""
        ...

    def record(self, index: int) -> dict[str, Any]:
        """Record ``index``; raises ``BadSample`` if it is no object."""
        ...


class HeldRows:
    """Records that are kept in memory as JSON: about the size of their files.

    Args:
        paths: the files.
        array: name of the list in the JSON object of a file (MSRVTT's ``sentences``); None: files
            are lines of text, ``ID some words`` (MSVD), which become ``video_id`` and ``caption``.

    Raises:
        ConfigError: a file is no such JSON, or no text.
    """

    def __init__(self, paths: Sequence[Path], array: str | None = None) -> None:
        self._paths = list(paths)
        self._array = array
        self._held = bytearray()
        self._ends = _integers([0])
        self._first = [0]
        for path in self._paths:
            for record in _columns(path) if array is None else _listed(path, array):
                self._held += json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")
                self._ends.append(len(self._held))
            self._first.append(len(self._ends) - 1)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def key(self, index: int) -> str:
        """File and place in it."""
        number = self.file_of(index)
        place = index - self._first[number]
        name = self._paths[number].name
        return f"{name}:{place + 1}" if self._array is None else f"{name}[{place}]"

    def file_of(self, index: int) -> int:
        """Number of the file that holds record ``index``."""
        return next(n for n, first in enumerate(self._first[1:]) if index < first)

    def record(self, index: int) -> dict[str, Any]:
        """Record ``index``.

        Raises:
            BadSample: it is no object.
        """
        raw = bytes(self._held[self._ends[index] : self._ends[index + 1]])
        return parse(self.key(index), raw)


def _integers(values: Sequence[int]) -> "array[int]":
    return array("q", values)


def _columns(path: Path) -> Iterator[dict[str, str]]:
    for line in path.read_text("utf-8", "replace").splitlines():
        name, _, caption = line.strip().partition(" ")
        if name and not name.startswith("#"):
            yield {"video_id": name, "caption": caption.strip()}


def _listed(path: Path, array: str) -> Iterator[Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    found = content.get(array) if isinstance(content, dict) else content
    if not isinstance(found, list):
        keys = ", ".join(content) if isinstance(content, dict) else type(content).__name__
        raise ConfigError(f"{path}: expected a list {array!r}; found {keys}")
    yield from found
