"""Plain text: JSONL with ``{"text": ...}`` a line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vilax.data.document import Document, Text
from vilax.data.formats.files import BadSample, Lines, field, fingerprint


class TextReader:
    """Documents of JSONL files, one ``text`` each, all of it supervised."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        self._lines = Lines(files)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: the line is not an object with a non-empty text.
        """
        key = self._lines.key(index)
        text = field(key, self._lines.record(index), "text", str)
        if not text.strip():
            raise BadSample(key, "empty text")
        return Document(key, self.name, (Text(text),))

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        return self._lines.key(index)

    def shard(self, index: int) -> str:
        """File of document ``index``."""
        return self._lines.files.paths[self._lines.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """The record of document ``index``.

        Raises:
            BadSample: it is not an object.
        """
        return self._lines.record(index)

    def fingerprint(self) -> str:
        """Hash of the files."""
        return fingerprint("text", self._lines.files.paths)
