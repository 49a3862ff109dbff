"""Where broken and mended documents are noted down."""

import json
import os
from pathlib import Path


class Quarantine:
    """A JSONL file with one line per document that was set aside or mended, however often met.

    A line holds corpus, shard (the file it is from), key, reason, and whether the document was
    kept: one that is odd but could be mended is used, and named all the same.

    Args:
        path: created with its folder when first needed; may hold lines of earlier runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[tuple[str, str, str]] | None = None

    def add(self, corpus: str, shard: str, key: str, reason: str, kept: bool = False) -> None:
        """Note a document, unless it is noted already."""
        if self._known is None:
            self._known = self._read()
        if (corpus, shard, key) in self._known:
            return
        self._known.add((corpus, shard, key))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        entry = {"corpus": corpus, "shard": shard, "key": key, "reason": reason, "kept": kept}
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        # One write in append mode: lines of several processes do not mix.
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode("utf-8", "backslashreplace"))
        finally:
            os.close(handle)

    def _read(self) -> set[tuple[str, str, str]]:
        known = set()
        if self.path.exists():
            for line in self.path.read_text("utf-8").splitlines():
                try:
                    entry = json.loads(line)
                    known.add((entry["corpus"], entry["shard"], entry["key"]))
                except (ValueError, KeyError, TypeError):
                    # A line cut short by a kill; the document will be noted again.
                    continue
        return known
