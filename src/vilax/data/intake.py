"""Between reader and packing: documents are encoded, cut, or set aside, and all is counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.data.document import Image
from vilax.data.formats.files import BadSample, Reader
from vilax.data.images import fault
from vilax.data.packing import Row, split_long
from vilax.data.prompt import IGNORE, IMAGE_TOKEN, Encoded, PromptEncoder
from vilax.data.quarantine import Quarantine

BAD_SHARE = 0.01
BAD_AT_LEAST = 20
"""A corpus stops the run when more than this share, and this many, of its documents are broken."""

FRUITLESS = 1000
"""Documents of a corpus after which none being usable stops the run."""


class TooManyBadSamples(ConfigError):
    """So many documents of a corpus are broken that training on the rest would mislead."""


@dataclass(frozen=True)
class CorpusSource:
    """A corpus as a stream takes it.

    Attributes:
        reader: its documents.
        template: how its turns become text.
    """

    reader: Reader
    template: Template = "raw"


@dataclass
class Counts:
    """What a stream did with one corpus.

    The first four are those of rows handed out; the others run ahead of them by the buffers.

    Attributes:
        documents: documents in rows; each piece of a split one counts.
        tokens: tokens in rows, visual ones included, padding not.
        supervised: tokens that carry loss.
        images: pictures.
        split: documents longer than a row, cut into pieces.
        dropped: documents and pieces left out, by reason.
        bad: distinct broken documents.
        read: documents drawn.
        kept: documents and pieces passed on to packing.
    """

    documents: int = 0
    tokens: int = 0
    supervised: int = 0
    images: int = 0
    split: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    bad: int = 0
    read: int = 0
    kept: int = 0

    def drop(self, reason: str) -> None:
        """Count one more left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


class Intake:
    """Encodes the documents of several corpora and counts what becomes of them.

    A document longer than a row is cut (``split_long``). One whose pictures do not fit a row is
    dropped, and so is a document or piece without any supervised token. A broken document is noted
    in the quarantine.

    Args:
        sources: corpora by name.
        shares: how many documents of each corpus this stream sees in an epoch.
        encoder: documents to tokens.
        length: tokens of a row.
        quarantine: JSONL file for broken documents.
    """

    def __init__(
        self,
        sources: Mapping[str, CorpusSource],
        shares: Mapping[str, int],
        encoder: PromptEncoder,
        length: int,
        quarantine: Path,
    ) -> None:
        self.encoder = encoder
        self.length = length
        self.counts = {name: Counts() for name in sources}
        self.bad: dict[str, set[str]] = {name: set() for name in sources}
        self._sources = sources
        self._shares = shares
        self._quarantine = Quarantine(quarantine)

    def encode(self, corpus: str, index: int, known: bool = False) -> list[Encoded]:
        """What can be packed of a document: itself, its pieces, or nothing.

        Args:
            corpus: name of its corpus.
            index: its place there.
            known: it was counted before and is read again.

        Raises:
            TooManyBadSamples: more than 1 % and at least 20 documents are broken.
            ConfigError: not one document of the corpus could be used so far.
        """
        counts = Counts() if known else self.counts[corpus]
        counts.read += 1
        source = self._sources[corpus]
        try:
            document = source.reader[index]
            for segment in document.segments:
                if isinstance(segment, Image) and (wrong := fault(segment.data)):
                    raise BadSample(document.key, wrong)
        except BadSample as error:
            if not known:
                self._set_aside(corpus, error)
            return []
        encoded = self.encoder.document(document, source.template)
        pieces = [encoded]
        if len(encoded.tokens) > self.length:
            try:
                pieces = split_long(encoded, self.length)
                counts.split += 1
            except ValueError:
                counts.drop("pictures longer than a row")
                pieces = []
        usable = [piece for piece in pieces if (piece.labels != IGNORE).any()]
        for _ in range(len(pieces) - len(usable)):
            counts.drop("no supervised token")
        counts.kept += len(usable)
        if not usable and not known:
            self._refuse_fruitless(corpus, counts)
        return usable

    def count_row(self, row: Row) -> None:
        """Count what a row hands out."""
        size = len(row.keys) + 1
        tokens = np.bincount(row.documents, minlength=size)[1:]
        visual = np.bincount(row.documents[row.tokens == IMAGE_TOKEN], minlength=size)[1:]
        images = visual // max(1, self.encoder.tokens_per_image) if row.images else visual
        for corpus, length, pictures in zip(
            row.corpora, tokens.tolist(), images.tolist(), strict=True
        ):
            counts = self.counts[corpus]
            counts.documents += 1
            counts.tokens += length
            counts.images += pictures
        for corpus, supervised in row.supervised().items():
            self.counts[corpus].supervised += supervised

    def _set_aside(self, corpus: str, error: BadSample) -> None:
        counts, bad = self.counts[corpus], self.bad[corpus]
        bad.add(error.key)
        counts.bad = len(bad)
        self._quarantine.add(corpus, error.key, error.reason)
        seen = min(counts.read, self._shares[corpus])
        if len(bad) >= BAD_AT_LEAST and len(bad) > BAD_SHARE * seen:
            some = ", ".join(sorted(bad)[:5])
            raise TooManyBadSamples(
                f"corpus {corpus!r}: {len(bad)} of {seen} documents are broken, more than"
                f" {BAD_SHARE:.0%}: {some}, ... (all with reasons in {self._quarantine.path})"
            )
        self._refuse_fruitless(corpus, counts)

    def _refuse_fruitless(self, corpus: str, counts: Counts) -> None:
        if counts.kept == 0 and counts.read >= FRUITLESS:
            reasons = {**counts.dropped, **({"broken": counts.bad} if counts.bad else {})}
            raise ConfigError(
                f"corpus {corpus!r}: none of {counts.read} documents can be used"
                f" ({', '.join(f'{reason}: {n}' for reason, n in reasons.items())});"
                f" check its format and template ({self._sources[corpus].template})"
            )
