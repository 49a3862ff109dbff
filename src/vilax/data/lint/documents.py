"""One document looked at: its record, its pictures, its texts, and what a template makes of it."""

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vilax.config.schema.data import Template
from vilax.data.decoding import decode_noted
from vilax.data.document import Document, Image, Text
from vilax.data.formats.files import BadSample, Reader
from vilax.data.lint.findings import Finding, Severity
from vilax.data.lint.repeats import digest
from vilax.data.lint.texts import SPECIAL_TOKENS, special_pattern, text_faults
from vilax.data.lint.turns import turns_fault, turns_of

if TYPE_CHECKING:
    from vilax.data.prompt import PromptEncoder

THIN = 3
"""Pixels of a side below which a picture is a tracking pixel or a rule, not a picture."""

STRIP = 100
"""How many times longer than the other a side is that makes a picture a strip."""

MEDIA = ("image", "images", "video", "videos")
"""Fields that name pictures in most layouts."""

REMEMBERED = 1 << 14
"""Pictures whose faults a process remembers: pages share them."""


@dataclass(frozen=True)
class Examined:
    """What is known of a document.

    Attributes:
        shard: file that holds it.
        findings: what is wrong or odd.
        identity: hash of the id that its record states, else of its key.
        pictures: hash of each picture.
        is_supervised: whether it has a supervised token; None if it cannot be read.
    """

    shard: str
    findings: tuple[Finding, ...]
    identity: int
    pictures: tuple[int, ...] = ()
    is_supervised: bool | None = None


@dataclass
class Examiner:
    """Looks at the documents of a corpus by index.

    Attributes:
        reader: the corpus.
        encoder: documents to tokens; None: texts are not tokenised.
        template: how turns become text.
        length: tokens of a row; None: as long as they come.
    """

    reader: Reader
    encoder: "PromptEncoder | None" = None
    template: Template = "raw"
    length: int | None = None
    _known: "OrderedDict[int, tuple[tuple[Severity, str, str], ...]]" = field(
        default_factory=OrderedDict
    )

    def __call__(self, index: int) -> Examined:
        """Open document ``index`` and all it holds."""
        shard, key = self.reader.shard(index), f"document {index}"
        facts: dict[str, Any] = {}
        try:
            key = self.reader.key(index)
            facts = self.reader.facts(index)
            document = self.reader[index]
        except BadSample as error:
            found = Finding("error", "sample", shard, error.key, error.reason)
            return Examined(shard, (found,), _identity(facts, error.key))
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            return Examined(
                shard, (Finding("error", "reader", shard, key, said),), _identity(facts, key)
            )
        pictures = tuple(digest(s.data) for s in document.segments if isinstance(s, Image))
        faults = list(dict.fromkeys(self._faults(document, pictures, facts)))
        findings = tuple(Finding(s, k, shard, document.key, m) for s, k, m in faults)
        return Examined(
            shard,
            findings,
            _identity(facts, document.key),
            pictures,
            all(kind != "no-loss" for _, kind, _ in faults),
        )

    def _faults(
        self, document: Document, pictures: tuple[int, ...], facts: dict[str, Any]
    ) -> Iterator[tuple[Severity, str, str]]:
        for note in document.notes:
            yield "warning", "mended", note
        images = [s for s in document.segments if isinstance(s, Image)]
        for number, (image, known) in enumerate(zip(images, pictures, strict=True), 1):
            for severity, kind, message in self._picture(image.data, known):
                several = f"picture {number} of {len(images)}: " if len(images) > 1 else ""
                yield severity, kind, several + message
        named = next((name for name in MEDIA if facts.get(name)), None)
        if named is not None and not images:
            said = f"field {named!r} is filled, but the document has no picture"
            yield "warning", "no-picture", said
        if wrong := turns_fault(turns_of(facts)):
            yield "warning", "turns", wrong
        yield from self._texts(document)
        yield from self._tokens(document)

    def _picture(self, data: bytes, known: int) -> tuple[tuple[Severity, str, str], ...]:
        found = self._known.get(known)
        if found is None:
            found = self._known[known] = tuple(picture_faults(data))
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _texts(self, document: Document) -> Iterator[tuple[Severity, str, str]]:
        asked = ""
        for segment in document.segments:
            if not isinstance(segment, Text):
                continue
            for kind, message in text_faults(segment.text, self._special):
                yield "error" if kind == "encoding" else "warning", kind, message
            answer = segment.text.strip()
            if segment.role == "assistant":
                if not answer:
                    yield "warning", "empty-answer", "an answer without text"
                elif answer == asked:
                    yield "warning", "echo", f"the answer equals its question ({answer[:40]!r})"
            asked = answer if segment.role == "user" else ""

    @cached_property
    def _special(self) -> re.Pattern[str]:
        own = () if self.encoder is None else self.encoder.tokenizer.all_special_tokens
        return special_pattern((*SPECIAL_TOKENS, *own))

    def _tokens(self, document: Document) -> Iterator[tuple[Severity, str, str]]:
        if self.encoder is None:
            texts = [s for s in document.segments if isinstance(s, Text)]
            if not any(text.loss and text.text.strip() for text in texts):
                yield "warning", "no-loss", "no text that is trained on"
            return
        from vilax.data.prompt import IGNORE
        from vilax.data.splitting import split_long

        try:
            segments = tuple(
                self.encoder.sized(s) if isinstance(s, Image) else s for s in document.segments
            )
        except BadSample:
            # A picture whose header cannot be read, which has been named.
            return
        try:
            encoded = self.encoder.document(replace(document, segments=segments), self.template)
        except (UnicodeError, TypeError):
            # Half a surrogate pair, which has been named.
            return
        except BadSample as error:
            yield "error", "template", error.reason
            return
        supervised = int((encoded.labels != IGNORE).sum())
        if not supervised:
            yield "warning", "no-loss", f"no supervised token under template {self.template}"
        if self.length is None or len(encoded.tokens) <= self.length:
            return
        size = f"{len(encoded.tokens):,} tokens"
        try:
            pieces = len(split_long(encoded, self.length, None))
        except ValueError:
            yield "warning", "no-room", f"{size}: its pictures do not fit a row of {self.length:,}"
            return
        yield "info", "long", f"{size}: cut into {pieces} rows of {self.length:,} at most"


def _identity(facts: dict[str, Any], key: str) -> int:
    own = facts.get("id", facts.get("uid"))
    name = f"id {own}" if isinstance(own, str | int) else key
    return digest(name.encode("utf-8", "surrogatepass"))


def picture_faults(data: bytes) -> Iterator[tuple[Severity, str, str]]:
    """Severity, kind and message of what is wrong with an encoded picture."""
    try:
        picture, notes = decode_noted(data)
    except BadSample as error:
        yield "error", "picture", f"{error.key}: {error.reason}"
        return
    for note in notes:
        yield "warning", "picture-mended", note
    width, height = picture.size
    if min(width, height) < THIN:
        yield "warning", "tiny-picture", f"a picture of {width} x {height} pixels"
    elif max(width, height) > STRIP * min(width, height):
        yield "warning", "strip", f"a picture of {width} x {height} pixels"
