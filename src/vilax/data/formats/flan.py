"""Text instructions: ``inputs`` and ``targets`` as parquet (Open-Orca/FLAN) or JSONL."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vilax.data.document import Document, Text
from vilax.data.formats.files import BadSample, Lines, field, fingerprint
from vilax.data.formats.parquet import ParquetRows

FIELDS = ("inputs", "targets")


class FlanReader:
    """A user turn and a supervised answer per row."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        parquet = [path for path in files if path.suffix == ".parquet"]
        self._rows: Lines | ParquetRows = ParquetRows(parquet, FIELDS) if parquet else Lines(files)
        self._paths = parquet or list(files)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: ``inputs`` or ``targets`` is missing, empty or no text.
        """
        key = self._rows.key(index)
        record = self._rows.record(index)
        asked = field(key, record, "inputs", str).strip()
        answer = field(key, record, "targets", str).strip()
        if not asked or not answer:
            raise BadSample(key, f"empty {'targets' if asked else 'inputs'}")
        turns = (Text(asked, loss=False, role="user"), Text(answer, role="assistant"))
        return Document(key, self.name, turns)

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        return self._rows.key(index)

    def shard(self, index: int) -> str:
        """File of document ``index``."""
        return self._paths[self._rows.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """The record of document ``index``.

        Raises:
            BadSample: it is not an object.
        """
        return self._rows.record(index)

    def fingerprint(self) -> str:
        """Hash of the files."""
        return fingerprint("flan", self._paths)
