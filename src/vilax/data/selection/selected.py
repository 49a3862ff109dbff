"""A corpus seen through a selection, whose indexes lie on disk."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from vilax.config.errors import ConfigError
from vilax.config.locate import cache_dir
from vilax.config.schema.selection import Selection
from vilax.data.document import Document
from vilax.data.formats.files import Reader, file_hash
from vilax.data.selection.choosing import choose

RULES_VERSION = 1
"""Raised when a rule comes to select other documents."""

Measure = Callable[[Document], int]
"""Tokens of a document."""


def select(
    reader: Reader, selection: Selection, measure: Measure | None = None, measured_by: str = ""
) -> Reader:
    """The documents that a selection leaves, in the order of the corpus.

    Args:
        reader: the corpus.
        selection: which of it; an empty one gives the corpus itself.
        measure: tokens of a document, for ``selection.tokens``.
        measured_by: names what ``measure`` depends on, such as a tokenizer's fingerprint.
    """
    if not selection.model_dump(exclude_defaults=True, exclude={"seed"}):
        return reader
    return Selected(reader, selection, measure, measured_by)


class Selected:
    """A reader of some of another reader's documents.

    The indexes are found when first needed, by a pass over the corpus, and kept below the cache
    folder under the corpus's fingerprint and the selection. They are read from there one by one,
    so that memory does not grow with their number.
    """

    def __init__(
        self, reader: Reader, selection: Selection, measure: Measure | None, measured_by: str
    ) -> None:
        self.reader = reader
        self.selection = selection
        self._measure = measure
        self._measured_by = measured_by
        self._file: int | None = None
        self._length = 0

    def __len__(self) -> int:
        self._open()
        return self._length

    def __getitem__(self, index: int) -> Document:
        """Document ``index`` of those selected; raises ``BadSample`` if it is broken."""
        return self.reader[self._place(index)]

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        return self.reader.key(self._place(index))

    def shard(self, index: int) -> str:
        """File of document ``index``."""
        return self.reader.shard(self._place(index))

    def facts(self, index: int) -> dict[str, Any]:
        """Record of document ``index``; raises ``BadSample`` if it cannot be read."""
        return self.reader.facts(self._place(index))

    def fingerprint(self) -> str:
        """Hash of the corpus and of what selects from it."""
        rules = self.selection.model_dump(mode="json")
        for name in ("ids", "exclude"):
            if rules[name] is not None:
                rules[name] = _list_hash(Path(rules[name]))
        if rules["score"] is not None and rules["score"]["file"] is not None:
            rules["score"]["file"] = _list_hash(Path(rules["score"]["file"]))
        facts = [RULES_VERSION, self.reader.fingerprint(), rules]
        if self.selection.tokens is not None:
            facts.append(self._measured_by)
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _place(self, index: int) -> int:
        handle = self._open()
        if not 0 <= index < self._length:
            raise IndexError(index)
        return int.from_bytes(os.pread(handle, 8, 8 * index), "little")

    def _open(self) -> int:
        if self._file is None:
            folder = cache_dir() / "selection"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{self.fingerprint()[:32]}.indexes"
            if not path.exists():
                with FileLock(path.with_suffix(".lock")):
                    if not path.exists():
                        self._write(path)
            self._file = os.open(path, os.O_RDONLY)
            self._length = os.fstat(self._file).st_size // 8
        return self._file

    def _write(self, path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            partial = Path(work) / "indexes"
            with partial.open("wb") as file:
                for some in choose(self.reader, self.selection, self._measure, Path(work)):
                    file.write(some.astype("<u8").tobytes())
            if not partial.stat().st_size:
                raise ConfigError(
                    f"select={self.selection.model_dump(exclude_defaults=True)} leaves none of"
                    f" {len(self.reader)} documents"
                )
            os.replace(partial, path)

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)


def _list_hash(path: Path) -> str:
    try:
        return file_hash(path.expanduser())
    except OSError as error:
        raise ConfigError(f"cannot read the keys in {path}: {error}") from error
