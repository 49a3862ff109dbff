"""What a kind of bad input is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

GOOD = 30
"""Good documents beside a bad one."""

AT = 11
"""Place of the bad document among the good ones."""


@dataclass(frozen=True)
class Bad:
    """A kind of bad input.

    Attributes:
        write: writes a corpus below a folder; returns what to open.
        reason: a pattern that the reason matches.
        shard: name of the file that the bad document is in.
        key: a pattern that its key matches.
        kept: it is mended, used and named; None: whether it is used is the reader's choice.
        then: done to the folder once the corpus is open.
        format: of the corpus.
        good: documents that are used besides.
    """

    write: Callable[[Path], Path]
    reason: str
    shard: str
    key: str = ""
    kept: bool | None = False
    then: Callable[[Path], None] = field(default=lambda folder: None)
    format: str = "auto"
    good: int = GOOD
