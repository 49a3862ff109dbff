"""What is built from what, and how it is cut into shards."""

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vilax.config.errors import ConfigError
from vilax.config.schema.selection import Derivation
from vilax.data.build.folder import CaptionFolder, is_caption_folder
from vilax.data.build.layouts import is_pair
from vilax.data.derive import derive
from vilax.data.document import Document, Image
from vilax.data.formats import open_corpus
from vilax.data.formats.files import BadSample, Reader

VERSION = 1
"""Raised when the same documents would be written as other bytes."""

SAMPLED = 200
"""Documents by which the size of a mean one is judged."""

_TOLD = 64


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus to read.

    Attributes:
        path: a file or folder.
        format: its layout; ``auto`` tells it.
        images: where pictures lie, if not beside it.
        derive: what is made of its pages.
    """

    path: str
    format: str = "auto"
    images: str | None = None
    derive: Derivation = field(default_factory=Derivation)

    def open(self) -> Reader:
        """Its reader.

        Raises:
            ConfigError: nothing is there, or it is of no known format.
        """
        path = Path(self.path)
        if self.format == "auto" and is_caption_folder(path):
            return CaptionFolder(path.name, path)
        images = None if self.images is None else Path(self.images)
        return open_corpus(path.name or "corpus", path, self.format, images)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written where.

    Attributes:
        source: what is read.
        to: folder of the shards.
        layout: ``pairs`` or ``documents``.
        documents: in the source.
        per_shard: documents of the source in a shard.
        seed: of their order; None: as they stand.
        identity: hash of all that determines the bytes.
    """

    source: Source
    to: Path
    layout: str
    documents: int
    per_shard: int
    seed: int | None
    identity: str

    @property
    def shards(self) -> int:
        """Number of shards."""
        return math.ceil(self.documents / self.per_shard)

    def name(self, number: int) -> str:
        """File of shard ``number``, from 0."""
        return f"{number:06d}.tar"


def plan_build(
    source: Source,
    to: Path,
    shard_size: tuple[int, str] = (1 << 28, "bytes"),
    layout: str = "auto",
    seed: int | None = None,
) -> Plan:
    """Look into a corpus and decide how it is cut.

    Args:
        source: what is read.
        to: folder of the shards.
        shard_size: a number of ``documents``, or of ``bytes``; the latter by the mean of a sample.
        layout: ``auto``: pairs where all of a sample of the documents are.
        seed: None: the source's order.

    Raises:
        ConfigError: nothing is there, or it is of no known format or layout.
    """
    reader = source.open()
    total = len(reader)
    if total == 0:
        raise ConfigError(f"SRC={source.path} holds no document")
    if layout == "auto":
        layout = _told_layout(reader, source.derive)
    number, unit = shard_size
    per_shard = (
        number if unit == "documents" else max(1, number // _mean_size(reader, source.derive))
    )
    facts = [VERSION, reader.fingerprint(), layout, total, per_shard, seed, source.format]
    if source.derive != Derivation():
        facts.append(source.derive.model_dump(mode="json"))
    identity = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return Plan(source, to, layout, total, per_shard, seed, identity)


def derived(reader: Reader, index: int, derivation: Derivation) -> list[Document]:
    """What is written of document ``index``; raises ``BadSample`` if it is broken."""
    return derive(reader[index], derivation)


def _told_layout(reader: Reader, derivation: Derivation) -> str:
    """``pairs`` where all of some documents at equal spacing are."""
    found: list[bool] = []
    for index in np.linspace(0, len(reader) - 1, min(_TOLD, len(reader)), dtype=int).tolist():
        try:
            found += map(is_pair, derived(reader, index, derivation))
        except BadSample:
            continue
    return "pairs" if found and all(found) else "documents"


def _mean_size(reader: Reader, derivation: Derivation) -> int:
    """Bytes of a mean document in a tar, by documents at equal spacing."""
    sizes = []
    for index in np.linspace(0, len(reader) - 1, min(SAMPLED, len(reader)), dtype=int).tolist():
        try:
            documents = derived(reader, index, derivation)
        except BadSample:
            continue
        parts = [
            len(s.data) if isinstance(s, Image) else len(s.text.encode("utf-8", "replace"))
            for document in documents
            for s in document.segments
        ]
        sizes.append(sum(parts) + 1024 * (2 + len(parts)))
    return max(1, sum(sizes) // len(sizes)) if sizes else 1 << 20


def parse_size(text: str) -> tuple[int, str]:
    """A shard's size: ``5000`` documents, or bytes such as ``256MB`` and ``1GiB``.

    Raises:
        ConfigError: it is neither.
    """
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
    said = text.strip().upper()
    for unit, factor in units.items():
        if said.endswith(unit):
            amount = said.removesuffix(unit).strip()
            if amount.replace(".", "", 1).isdigit() and float(amount) * factor >= 1:
                return int(float(amount) * factor), "bytes"
    if said.isdigit() and int(said) > 0:
        return int(said), "documents"
    raise ConfigError(
        f"--shard-size={text}; expected a number of documents such as 5000, or a size such as"
        " 256MB or 1GiB"
    )
