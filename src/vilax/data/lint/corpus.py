"""A whole corpus looked at: every document, and what several of them share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vilax.config.schema.data import Template
from vilax.data.formats.files import BadSample, Reader
from vilax.data.lint.documents import Examined, Examiner
from vilax.data.lint.findings import Finding, Summary
from vilax.data.lint.folder import other_files
from vilax.data.lint.repeats import LISTED, Repeats
from vilax.data.lint.scan import Lost, chosen, scan
from vilax.data.prompt import PromptEncoder


@dataclass
class Lint:
    """One lint of one corpus; iterate once over ``findings``, then read ``summary``.

    Attributes:
        reader: the corpus.
        path: where it lies; None: files beside it are not looked at.
        encoder: documents to tokens, if they are to be tokenised.
        template: how turns become text.
        length: tokens of a row.
        jobs: processes.
        limit: documents to open, drawn at random; None: every one.
        seed: seed of the draw.
        seconds: longest time for one document.
        summary: counts so far.
    """

    reader: Reader
    path: Path | None = None
    encoder: PromptEncoder | None = None
    template: Template = "raw"
    length: int | None = None
    jobs: int = 1
    limit: int | None = None
    seed: int = 0
    seconds: float = 60.0
    summary: Summary = field(default_factory=Summary)

    @property
    def total(self) -> int:
        """Documents that will be opened."""
        return len(self.reader) if self.limit is None else min(self.limit, len(self.reader))

    def findings(self, tick: Callable[[int], None] = lambda number: None) -> Iterator[Finding]:
        """All that is found, document by document, then what concerns several of them.

        Args:
            tick: called with the number of documents just done.
        """
        examine = Examiner(self.reader, self.encoder, self.template, self.length)
        indexes = chosen(len(self.reader), self.limit, self.seed)
        shards: set[str] = set()
        supervised = readable = 0
        with Repeats() as ids, Repeats() as pictures:
            for index, examined in scan(examine, indexes, self.jobs, self.seconds):
                if isinstance(examined, Lost):
                    examined = self._lost(index, examined)
                shards.add(examined.shard)
                self.summary.samples += 1
                self.summary.pictures += len(examined.pictures)
                readable += examined.is_supervised is not None
                supervised += examined.is_supervised is True
                ids.add(examined.identity, index)
                for picture in set(examined.pictures):
                    pictures.add(picture, index)
                for finding in examined.findings:
                    yield self._counted(finding)
                tick(1)
            for finding in self._shared(ids, pictures):
                yield self._counted(finding)
        if readable and not supervised:
            name = self.path.name if self.path is not None else ""
            said = f"none of {readable:,} documents has a supervised token under {self.template}"
            yield self._counted(Finding("error", "no-supervision", name, "", said))
        if self.path is not None:
            if self.limit is not None:
                shards.update(self.reader.shard(index) for index in range(len(self.reader)))
            for finding in other_files(self.path, shards):
                yield self._counted(finding)

    def _counted(self, finding: Finding) -> Finding:
        self.summary.add(finding)
        return finding

    def _lost(self, index: int, lost: Lost) -> Examined:
        shard, key = self.reader.shard(index), self._key(index)
        return Examined(
            shard, (Finding("error", lost.kind, shard, key, lost.reason),), -index % 2**64
        )

    def _key(self, index: int) -> str:
        try:
            return self.reader.key(index)
        except (BadSample, OSError):
            return f"document {index}"

    def _shared(self, ids: Repeats, pictures: Repeats) -> Iterator[Finding]:
        for number, members in ids.groups():
            named = self._named(number, members)
            yield Finding(
                "warning",
                "duplicate-id",
                self.reader.shard(members[0]),
                self._key(members[0]),
                f"{number:,} documents of the corpus have this id: {named}",
            )
        for number, members in pictures.groups():
            named = self._named(number, members)
            yield Finding(
                "info",
                "same-picture",
                self.reader.shard(members[0]),
                self._key(members[0]),
                f"one picture is in {number:,} documents: {named}",
            )

    def _named(self, number: int, members: list[int]) -> str:
        keys = [self._key(member) for member in members[:LISTED]]
        return ", ".join(keys) + (", ..." if number > len(keys) else "")
