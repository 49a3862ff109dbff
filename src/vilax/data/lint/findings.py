"""What a lint finds: one finding a line, and counts by kind."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
"""error: the document would be set aside; warning: it is used, mended or odd."""

KINDS: dict[str, str] = {
    "sample": "cannot be read; it would be set aside",
    "picture": "a picture cannot be decoded; the document would be set aside",
    "reader": "reading it raised an error that no reader foresees",
    "stuck": "it took longer than --timeout, and was given up",
    "died": "the process that opened it died",
    "encoding": "its text cannot be written as UTF-8",
    "unreadable-file": "a file that cannot be opened",
    "no-supervision": "not one document has a supervised token: nothing would be learned",
    "mended": "read all the same, after a repair",
    "picture-mended": "decoded all the same, after a repair",
    "no-picture": "its record names a picture or video that the format does not read",
    "tiny-picture": "a side of less than 3 pixels",
    "strip": "a side more than 100 times the other",
    "turns": "turns do not alternate between user and assistant",
    "empty-answer": "an answer without text",
    "echo": "an answer that equals its question",
    "control": "control characters, such as NUL",
    "mojibake": "U+FFFD, or UTF-8 that was read as Latin-1",
    "special-token": "spells a special token; it is read as text",
    "placeholder": "spells an image placeholder where none belongs",
    "template": "the LLM's chat template cannot write it",
    "no-loss": "no supervised token: it would be left out",
    "no-room": "pictures longer than a row: it would be left out",
    "duplicate-id": "an id that several documents share",
    "other-file": "a file that is not read in this format",
    "empty-file": "a file without content",
    "long": "longer than a row: it would be cut",
    "same-picture": "one picture in several documents",
}
"""What each kind of finding means."""

_FIELD = re.compile(r"field '([^']+)'")
_EXPECTED = re.compile(r"expected ([^;,]+)")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong or odd.

    Attributes:
        severity: what would become of the document.
        kind: a name of ``KINDS``.
        shard: file that holds the document.
        key: name of the document; empty where a whole file is meant.
        message: what was found, in words.
    """

    severity: Severity
    kind: str
    shard: str
    key: str
    message: str

    def line(self) -> str:
        """One line for people."""
        where = self.key if self.key.startswith(self.shard) else f"{self.shard} {self.key}"
        return _one_line(f"{where.strip() or self.shard}: {self.severity}: {self.message}") + (
            f"  [{self.kind}]"
        )

    def record(self) -> dict[str, Any]:
        """For a report; ``field`` and ``expected`` where the message names them."""
        named, expected = _FIELD.search(self.message), _EXPECTED.search(self.message)
        return {
            "severity": self.severity,
            "kind": self.kind,
            "shard": self.shard,
            "key": self.key,
            "field": named.group(1) if named else None,
            "expected": expected.group(1) if expected else None,
            "message": self.message,
        }


@dataclass
class Summary:
    """Counts of a lint.

    Attributes:
        samples: documents opened.
        pictures: pictures decoded.
        by_kind: number of findings by severity and kind.
        reasons: of documents that would be set aside, by their commonest reasons.
    """

    samples: int = 0
    pictures: int = 0
    by_kind: Counter[tuple[Severity, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        self.by_kind[finding.severity, finding.kind] += 1
        if finding.severity == "error":
            self.reasons[general(finding.message)] += 1

    def number(self, severity: Severity) -> int:
        """Findings of one severity."""
        return sum(n for (found, _), n in self.by_kind.items() if found == severity)


def general(message: str) -> str:
    """A message without what differs from document to document."""
    return re.sub(r"'[^']*'|\b[0-9a-f]{16,}\b|\d[\d,.]*", "...", _one_line(message))


def _one_line(text: str) -> str:
    # What a file holds must not move the cursor of who reads the report.
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
