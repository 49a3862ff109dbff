"""Scores of documents in a file beside their corpus."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vilax.config.errors import ConfigError
from vilax.data.selection.keys import key_hash


class ScoreFile:
    """Scores by key; sixteen bytes a document.

    Args:
        path: JSON Lines, each with ``key`` and fields that are numbers.
        fields: those whose sum is the score.

    Raises:
        ConfigError: the file cannot be read, a line has no key or one of the fields is no number.
    """

    def __init__(self, path: Path, fields: Sequence[str]) -> None:
        self.path = path
        kind = np.dtype([("key", np.uint64), ("score", np.float64)])
        try:
            found = np.fromiter(self._lines(fields), kind)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the scores in {path}: {error}") from error
        self._found = found[np.argsort(found["key"], kind="stable")]

    def of(self, key: str) -> float:
        """Score of the document of this key; not a number where there is none."""
        wanted = np.uint64(key_hash(key))
        place = int(np.searchsorted(self._found["key"], wanted))
        if place == len(self._found) or self._found["key"][place] != wanted:
            return math.nan
        return float(self._found["score"][place])

    def _lines(self, fields: Sequence[str]) -> Iterator[tuple[int, float]]:
        with self.path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    entry = json.loads(line)
                    values = [float(entry[name]) for name in fields]
                    yield key_hash(entry["key"]), math.fsum(values)
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    raise ConfigError(
                        f"{self.path}, line {number}: {type(error).__name__}: {error};"
                        f" expected an object with key and {', '.join(fields)}"
                    ) from error
