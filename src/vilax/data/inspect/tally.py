"""Totals over rows, counted as training counts them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from vilax.data.intake import Counts
from vilax.data.packing import Row
from vilax.data.prompt import IGNORE


@dataclass
class CorpusTally:
    """One corpus in the rows that were drawn.

    Attributes:
        documents: documents in rows; each piece of a split one counts.
        tokens: tokens, visual ones included, padding not.
        supervised: tokens that carry loss.
        images: pictures.
        unknown: text tokens that the tokenizer's vocabulary does not have.
        lengths: documents by length: number of those with at least 2^k and below 2^(k+1) tokens.
        pictures: documents by number of pictures.
    """

    documents: int = 0
    tokens: int = 0
    supervised: int = 0
    images: int = 0
    unknown: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    pictures: Counter[int] = field(default_factory=Counter)

    def add(self, other: "CorpusTally") -> None:
        """Add another's numbers to these."""
        for name in ("documents", "tokens", "supervised", "images", "unknown"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lengths.update(other.lengths)
        self.pictures.update(other.pictures)


class Tally:
    """Counts rows as they come.

    Args:
        corpora: names, in the order of the blend.
        unknown: token id of what the vocabulary does not have, if there is one.

    Attributes:
        steps: optimizer steps.
        rows: rows.
        positions: tokens and padding in them.
        corpora: by corpus, what was in them.
        intake: by corpus, what was read and left out, up to the last row; runs ahead of the rows.
        unseen: pictures that a model without an encoder is given and never sees.
    """

    def __init__(self, corpora: list[str], unknown: int | None = None) -> None:
        self.steps = 0
        self.rows = 0
        self.positions = 0
        self.corpora = {name: CorpusTally() for name in corpora}
        self.intake: dict[str, Counts] = {name: Counts() for name in corpora}
        self.unseen = 0
        self._unknown = unknown

    def add(self, row: Row) -> None:
        """Count a row."""
        self.rows += 1
        self.positions += len(row.tokens)
        size = len(row.keys) + 1
        self.unseen += row.spans.count(0)

        def counted(mask: "np.ndarray[Any, np.dtype[np.bool_]]") -> list[int]:
            return np.bincount(row.documents[mask], minlength=size)[1:].tolist()  # type: ignore[no-any-return]

        tokens = counted(row.documents > 0)
        supervised = counted(row.labels != IGNORE)
        pictures = row.pictures()
        unknown = counted(row.tokens == self._unknown) if self._unknown is not None else [0] * size
        for number, corpus in enumerate(row.corpora):
            images = pictures[number]
            one = CorpusTally(1, tokens[number], supervised[number], images, unknown[number])
            one.lengths[max(1, tokens[number]).bit_length() - 1] += 1
            one.pictures[images] += 1
            self.corpora[corpus].add(one)

    def end_step(self, counts: Mapping[int, Mapping[str, Counts]]) -> None:
        """Close a step.

        Args:
            counts: by stream and corpus, what the streams did so far.
        """
        self.steps += 1
        self.intake = {name: Counts() for name in self.corpora}
        for stream in counts.values():
            for name, some in stream.items():
                self.intake[name].add(some)

    @property
    def total(self) -> CorpusTally:
        """All corpora together."""
        total = CorpusTally()
        for corpus in self.corpora.values():
            total.add(corpus)
        return total

    @property
    def all_intake(self) -> Counts:
        """What was read and left out, over all corpora."""
        total = Counts()
        for counts in self.intake.values():
            total.add(counts)
        return total

    def as_json(self) -> dict[str, Any]:
        """Totals for scripts; ``tokens``, ``supervised`` ... are those of the training log."""
        total = self.total
        read = self.all_intake
        return {
            "steps": self.steps,
            "rows": self.rows,
            "positions": self.positions,
            "packing": total.tokens / self.positions if self.positions else 0.0,
            **_numbers(total),
            "data": {
                "read": read.read,
                "set_aside": read.bad,
                "mended": read.mended,
                "split": read.split,
                "dropped": dict(sorted(read.dropped.items())),
            },
            "corpora": {
                name: _numbers(corpus) | {"data": asdict(self.intake[name])}
                for name, corpus in self.corpora.items()
            },
        }


def _numbers(corpus: CorpusTally) -> dict[str, Any]:
    numbers = asdict(corpus)
    numbers["lengths"] = {str(2**k): n for k, n in sorted(corpus.lengths.items())}
    numbers["pictures"] = {str(k): n for k, n in sorted(corpus.pictures.items())}
    return numbers
