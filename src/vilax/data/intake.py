"""Between reader and packing: documents are encoded, cut, or set aside, and all is counted."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.config.schema.selection import Derivation
from vilax.data.derive import derive
from vilax.data.document import Document, Text
from vilax.data.formats.files import BadSample, Reader
from vilax.data.packing import Row
from vilax.data.prompt import IGNORE, Encoded, Picture, PromptEncoder
from vilax.data.quarantine import Quarantine
from vilax.data.splitting import split_long

BAD_AT_LEAST = 20
"""Fewer broken documents of a corpus than this never stop a run."""

FRUITLESS = 1000
"""Documents of a corpus after which none being usable stops the run."""

NAMED_REASONS = 3
"""The commonest reasons that a stop names."""

PLACEHOLDER = "<image>"

Prepare = Callable[[bytes], tuple[Picture, tuple[str, ...]]]
"""What becomes of an encoded picture before packing, and what was odd and mended about it; raises
``BadSample`` for one that cannot be used."""


class TooManyBadSamples(ConfigError):
    """So many documents of a corpus are broken that training on the rest would mislead."""


AS_IT_IS = Derivation()
"""Documents stay as they are read."""


@dataclass(frozen=True)
class CorpusSource:
    """A corpus as a stream takes it.

    Attributes:
        reader: its documents.
        template: how its turns become text.
        derive: what is made of its pages.
    """

    reader: Reader
    template: Template = "raw"
    derive: Derivation = AS_IT_IS


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
        mended: documents that were odd but could be used.
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
    mended: int = 0
    read: int = 0
    kept: int = 0

    def drop(self, reason: str) -> None:
        """Count one more left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def add(self, other: "Counts") -> None:
        """Add another's numbers to these."""
        for each in fields(self):
            if each.name != "dropped":
                setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        for reason, number in other.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + number


@dataclass(frozen=True)
class Limits:
    """What a row takes, and how much may be broken.

    Attributes:
        length: tokens of a row.
        images: pictures of a row; None: as many as come.
        bad_share: share of broken documents of a corpus above which the run stops.
    """

    length: int
    images: int | None = None
    bad_share: float = 0.01


class Intake:
    """Encodes the documents of several corpora and counts what becomes of them.

    A document longer than a row is cut (``split_long``). One whose pictures do not fit a row is
    dropped, and so is a document or piece without any supervised token. A broken document is noted
    in the quarantine; so is one that was mended, which is used.

    Args:
        sources: corpora by name.
        shares: how many documents of each corpus this stream sees in an epoch.
        encoder: documents to tokens.
        limits: of a row, and of what may be broken.
        quarantine: JSONL file for broken documents.
        prepare: done to each picture once, before packing.
    """

    def __init__(
        self,
        sources: Mapping[str, CorpusSource],
        shares: Mapping[str, int],
        encoder: PromptEncoder,
        limits: Limits,
        quarantine: Path,
        prepare: Prepare,
    ) -> None:
        self.encoder = encoder
        self.limits = limits
        self.counts = {name: Counts() for name in sources}
        self.bad: dict[str, dict[str, str]] = {name: {} for name in sources}
        self._sources = sources
        self._shares = shares
        self._quarantine = Quarantine(quarantine)
        self._prepare = prepare

    def encode(self, corpus: str, index: int, known: bool = False) -> list[Encoded]:
        """What can be packed of a document: itself, what it was cut into, or nothing.

        Args:
            corpus: name of its corpus.
            index: its place there.
            known: it was counted before and is read again.

        Raises:
            TooManyBadSamples: more than ``bad_share`` and at least 20 documents are broken.
            ConfigError: not one document of the corpus could be used so far.
        """
        counts = Counts() if known else self.counts[corpus]
        counts.read += 1
        source = self._sources[corpus]
        key = ""
        try:
            document = source.reader[index]
            key = document.key
            notes = [*document.notes, *_text_notes(document)]
            made = derive(document, source.derive)
            if not made:
                counts.drop("nothing left by derive")
            usable = [
                self._prepared(piece, notes)
                for derived in made
                for piece in self._pieces(derived, source.template, counts)
            ]
        except BadSample as error:
            if not known:
                self._set_aside(corpus, index, key or error.key, error.reason)
            return []
        counts.kept += len(usable)
        if notes and not known:
            counts.mended += 1
            shard = source.reader.shard(index)
            self._quarantine.add(corpus, shard, key, "; ".join(notes), kept=True)
        if not usable and not known:
            self._refuse_fruitless(corpus, counts)
        return usable

    def _pieces(self, document: Document, template: Template, counts: Counts) -> list[Encoded]:
        """A document encoded, or what it was cut into; pieces without supervision are left out."""
        encoded = self.encoder.document(document, template)
        try:
            pieces = split_long(encoded, self.limits.length, self.limits.images)
        except ValueError:
            counts.drop("pictures longer than a row")
            return []
        counts.split += len(pieces) > 1
        usable = [piece for piece in pieces if (piece.labels != IGNORE).any()]
        for _ in range(len(pieces) - len(usable)):
            counts.drop("no supervised token")
        return usable

    def _prepared(self, piece: Encoded, notes: list[str]) -> Encoded:
        images = []
        for data in piece.images:
            assert isinstance(data, bytes)
            picture, odd = self._prepare(data)
            images.append(picture)
            notes += [note for note in odd if note not in notes]
        return replace(piece, images=tuple(images))

    def sizes(self, corpus: str, index: int) -> tuple[int, int]:
        """Tokens and pictures that would be packed of a document; 0, 0 if it is broken."""
        source = self._sources[corpus]
        try:
            pieces = [
                piece
                for derived in derive(source.reader[index], source.derive)
                for piece in self._pieces(derived, source.template, Counts())
            ]
        except BadSample:
            return 0, 0
        return sum(len(p.tokens) for p in pieces), sum(len(p.images) for p in pieces)

    def count_row(self, row: Row) -> None:
        """Count what a row hands out."""
        size = len(row.keys) + 1
        tokens = np.bincount(row.documents, minlength=size)[1:]
        for corpus, length, pictures in zip(
            row.corpora, tokens.tolist(), row.pictures(), strict=True
        ):
            counts = self.counts[corpus]
            counts.documents += 1
            counts.tokens += length
            counts.images += pictures
        for corpus, supervised in row.supervised().items():
            self.counts[corpus].supervised += supervised

    def _set_aside(self, corpus: str, index: int, key: str, reason: str) -> None:
        counts, bad = self.counts[corpus], self.bad[corpus]
        bad[key] = _kind(reason)
        counts.bad = len(bad)
        shard = self._sources[corpus].reader.shard(index)
        self._quarantine.add(corpus, shard, key, reason)
        seen = min(counts.read, self._shares[corpus])
        if len(bad) >= BAD_AT_LEAST and len(bad) > self.limits.bad_share * seen:
            raise TooManyBadSamples(
                f"corpus {corpus!r}: {len(bad)} of {seen} documents are broken, more than"
                f" blend.bad_share={self.limits.bad_share:g}; most of them: {_commonest(bad)}"
                f" (all with reasons in {self._quarantine.path})"
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


def _text_notes(document: Document) -> list[str]:
    """What is odd about a document's texts.

    Raises:
        BadSample: a text cannot be what somebody wrote.
    """
    notes: list[str] = []
    for segment in document.segments:
        if not isinstance(segment, Text):
            continue
        if "\0" in segment.text:
            raise BadSample(document.key, "a text holds a NUL character")
        if not segment.text.isascii():
            try:
                segment.text.encode()
            except UnicodeEncodeError as error:
                raise BadSample(document.key, f"a text is no UTF-8: {error.reason}") from error
        if PLACEHOLDER in segment.text and not notes:
            notes.append(f"a text holds a literal {PLACEHOLDER}, which stays text")
    return notes


def _kind(reason: str) -> str:
    """A reason without what differs from document to document."""
    return re.sub(r"'[^']*'|\d[\d,.]*", "...", reason)


def _commonest(bad: Mapping[str, str]) -> str:
    """The commonest kinds of reason, each with an example."""
    counts = Counter(bad.values()).most_common(NAMED_REASONS)
    return "; ".join(
        f"{number} x {kind} (such as {min(k for k, v in bad.items() if v == kind)})"
        for kind, number in counts
    )
