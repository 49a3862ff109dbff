"""A search of training data for evaluation items, corpus by corpus."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import current_process, get_context

import numpy as np

from vilax.data.decoding import decode
from vilax.data.document import Image, Text
from vilax.data.formats.files import BadSample, Reader
from vilax.data.overlap.hashing import Look, look, near
from vilax.data.overlap.texts import TextIndex

DISTANCE = 10
"""Bits by which hashes of one picture may differ; what is that near is compared more finely."""

LIKENESS = 0.96
"""Correlation of two pictures, at 32 x 32 grey pixels, from which on they count as one."""

TOGETHER = 256
"""Documents that a process looks through at a time."""


@dataclass(frozen=True)
class Item:
    """An evaluation item.

    Attributes:
        id: its name.
        pictures: encoded pictures.
        texts: question, answers, caption.
    """

    id: str
    pictures: tuple[bytes, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A training document that holds an evaluation item's picture or text.

    Attributes:
        key: of the training document.
        item: id of the evaluation item.
        what: ``same picture`` (equal bytes), ``near picture`` or ``text``.
        detail: likeness of the pictures, or the words in common.
    """

    key: str
    item: str
    what: str
    detail: str


@dataclass
class Searched:
    """What a search came to.

    Attributes:
        found: in the order of the training data.
        documents: training documents looked through.
        pictures: pictures in them.
        bad: names and reasons of training documents that cannot be read.
        flat: evaluation pictures that show too little to be told by; only equal bytes count.
    """

    found: list[Found] = field(default_factory=list)
    documents: int = 0
    pictures: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    flat: int = 0


class Wanted:
    """Evaluation items, ready to be looked for.

    Args:
        items: all of them, held in memory as hashes.
        ngram: words of an n-gram.
        pictures: look for pictures.
        texts: look for texts.
    """

    def __init__(
        self, items: Iterable[Item], ngram: int = 13, pictures: bool = True, texts: bool = True
    ) -> None:
        self.ids: list[str] = []
        self.flat = 0
        self.bad: list[tuple[str, str]] = []
        self._exact: dict[bytes, list[int]] = {}
        looks: list[Look] = []
        self._owners: list[int] = []
        every: list[tuple[str, ...]] = []
        for number, item in enumerate(items):
            self.ids.append(item.id)
            every.append(item.texts)
            for data in item.pictures if pictures else ():
                self._exact.setdefault(_digest(data), []).append(number)
                try:
                    seen = look(decode(data))
                except BadSample as error:
                    self.bad.append((item.id, error.reason))
                    continue
                if seen.is_flat:
                    self.flat += 1
                    continue
                looks.append(seen)
                self._owners.append(number)
        self._small = np.stack([seen.small for seen in looks]) if looks else None
        self._bits = np.array([seen.bits for seen in looks], dtype=np.uint64)
        self._texts = TextIndex(every, ngram) if texts else None
        self._sees = pictures

    def in_document(self, key: str, pictures: Sequence[bytes], texts: Sequence[str]) -> list[Found]:
        """Items that a training document holds.

        Raises:
            BadSample: a picture of it cannot be decoded.
        """
        found: dict[tuple[int, str], Found] = {}

        def note(item: int, what: str, detail: str) -> None:
            kind = "text" if what == "text" else "picture"
            found.setdefault((item, kind), Found(key, self.ids[item], what, detail))

        for data in pictures if self._sees else ():
            for item in self._exact.get(_digest(data), ()):
                note(item, "same picture", "1.000")
            if self._small is None:
                continue
            seen = look(decode(data))
            if seen.is_flat:
                continue
            for place, _ in near(self._bits, seen.bits, DISTANCE):
                likeness = float((self._small[place] * seen.small).sum())
                if likeness >= LIKENESS:
                    note(self._owners[place], "near picture", f"{likeness:.3f}")
        for text in texts if self._texts is not None else ():
            assert self._texts is not None
            for item, words in self._texts.find(text).items():
                note(item, "text", words)
        return list(found.values())


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def search(
    reader: Reader,
    wanted: Wanted,
    jobs: int = 1,
    watch: Callable[[int], None] = lambda done: None,
) -> Searched:
    """Look through a corpus; the result does not depend on the number of processes.

    Args:
        reader: training data.
        wanted: evaluation items.
        jobs: processes.
        watch: told the number of documents done.
    """
    result = Searched(flat=wanted.flat)
    starts = range(0, len(reader), TOGETHER)
    if jobs < 2 or current_process().daemon:
        parts: Iterable[Searched] = (_part(reader, wanted, start) for start in starts)
        return _joined(result, parts, watch)
    # Processes are forked, so that reader and index reach them without being copied.
    global _SHARED
    _SHARED = (reader, wanted)
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        return _joined(result, pool.map(_shared_part, starts), watch)


_SHARED: tuple[Reader, Wanted] | None = None


def _shared_part(start: int) -> Searched:
    assert _SHARED is not None
    return _part(*_SHARED, start)


def _part(reader: Reader, wanted: Wanted, start: int) -> Searched:
    result = Searched()
    for index in range(start, min(start + TOGETHER, len(reader))):
        result.documents += 1
        try:
            document = reader[index]
            pictures = [s.data for s in document.segments if isinstance(s, Image)]
            texts = [s.text for s in document.segments if isinstance(s, Text)]
            result.pictures += len(pictures)
            result.found += wanted.in_document(document.key, pictures, texts)
        except BadSample as error:
            result.bad.append((reader.key(index), error.reason))
    return result


def _joined(total: Searched, parts: Iterable[Searched], watch: Callable[[int], None]) -> Searched:
    for part in parts:
        total.found += part.found
        total.documents += part.documents
        total.pictures += part.pictures
        total.bad += part.bad
        watch(total.documents)
    return total
