"""Where broken documents are noted down."""

import json
import os
from pathlib import Path


class Quarantine:
    """A JSONL file with one line (corpus, key, reason) per broken document, however often met.

    Args:
        path: created with its folder when first needed; may hold lines of earlier runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[tuple[str, str]] | None = None

    def add(self, corpus: str, key: str, reason: str) -> None:
        """Note a document, unless it is noted already."""
        if self._known is None:
            self._known = self._read()
        if (corpus, key) in self._known:
            return
        self._known.add((corpus, key))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"corpus": corpus, "key": key, "reason": reason}) + "\n"
        # One write in append mode: lines of several processes do not mix.
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def _read(self) -> set[tuple[str, str]]:
        known = set()
        if self.path.exists():
            for line in self.path.read_text("utf-8").splitlines():
                try:
                    entry = json.loads(line)
                    known.add((entry["corpus"], entry["key"]))
                except (ValueError, KeyError, TypeError):
                    # A line cut short by a kill; the document will be noted again.
                    continue
        return known
