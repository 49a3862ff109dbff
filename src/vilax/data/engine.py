"""The stream of packed rows: what a blend makes of its corpora, and a place that can be saved."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.data import Blend
from vilax.data.energon import ENERGON_VERSION, Chain, Drawn, Hooks
from vilax.data.intake import (
    CorpusSource,
    Counts,
    Intake,
    Limits,
    Prepare,
    TooManyBadSamples,
)
from vilax.data.packing import Row, choose_rows, pack
from vilax.data.pictures import Checked
from vilax.data.prompt import Encoded, PromptEncoder

__all__ = ["CorpusSource", "Counts", "Stream", "TooManyBadSamples"]

STATE_VERSION = 2

SAMPLED = 256
"""Documents from which the mean size of a corpus is taken, at equal spacing."""


class Stream:
    """One logical stream: an endless iterator of packed rows whose place can be saved.

    A job has ``blend.streams`` of them. Each is a fixed part of every corpus in an order that
    depends on (seed, stream, streams) alone, so the job sees the same rows at any world size.

    Args:
        corpora: sources by the name that the blend uses.
        blend: how much of each, and buffers.
        encoder: documents to tokens.
        length: tokens of a row.
        seed: seed of blending and shuffling.
        stream: which stream this is, from 0.
        quarantine: JSONL file to which broken documents are appended, once each.
        images: pictures of a row, at most; None: as many as come.
        prepare: done to each picture once, before packing; None: each is decoded to see that it
            can be, and handed on as it is.

    Attributes:
        counts: by corpus, what was read, handed out, dropped.
        watch: called with the name of each document before it is read.

    Raises:
        ConfigError: the blend is empty or names another corpus, a value is not above 0, a corpus
            has fewer documents than there are streams, or weights are shares of pictures and a
            corpus has none.
    """

    def __init__(
        self,
        corpora: Mapping[str, CorpusSource],
        blend: Blend,
        encoder: PromptEncoder,
        length: int,
        seed: int,
        stream: int,
        quarantine: Path,
        images: int | None = None,
        prepare: Prepare | None = None,
    ) -> None:
        _check(corpora, blend, stream)
        self._sources = {name: corpora[name] for name in blend.corpora}
        self._blend = blend
        self._prompt = encoder
        self._limits = Limits(length, images, blend.bad_share)
        self._seed = seed
        self._stream = stream
        self._quarantine = quarantine
        self._prepare = prepare or Checked()
        self._settings: dict[str, Any] | None = None
        self.watch: Callable[[str], None] | None = None
        self._weights = self._draws()
        self._build()

    def _draws(self) -> dict[str, float]:
        """Chance of each corpus per document drawn, or its passes in one pass over the blend."""
        blend = self._blend
        if blend.values == "counts":
            return {n: v / len(self._sources[n].reader) for n, v in blend.corpora.items()}
        if blend.per == "documents":
            return dict(blend.corpora)
        intake = self._new_intake()
        means = {}
        for name, source in self._sources.items():
            total = len(source.reader)
            number = min(SAMPLED, total)
            sizes = [intake.sizes(name, i * total // number) for i in range(number)]
            means[name] = sum(s[0 if blend.per == "tokens" else 1] for s in sizes) / number
            if not means[name]:
                raise ConfigError(
                    f"blend.per={blend.per}: {number} documents of corpus {name!r} have no"
                    f" {blend.per}; expected per=documents, or corpora that have"
                )
        return {name: value / means[name] for name, value in blend.corpora.items()}

    def _new_intake(self) -> Intake:
        streams = self._blend.streams
        shares = {name: len(s.reader) // streams for name, s in self._sources.items()}
        return Intake(
            self._sources, shares, self._prompt, self._limits, self._quarantine, self._prepare
        )

    def _build(self) -> None:
        self._intake = self._new_intake()
        self._chain = Chain(
            {n: Drawn(len(s.reader), self._weights[n]) for n, s in self._sources.items()},
            self._blend.values != "weights",
            self._seed,
            self._stream,
            self._blend.streams,
            self._blend.shuffle_buffer,
            self._blend.packing_buffer,
            Hooks(self._encode, self._choose, self._pack),
        )

    def _encode(self, corpus: str, index: int, known: bool) -> list[Encoded]:
        if self.watch is not None:
            self.watch(f"document {index} of corpus {corpus!r}")
        return self._intake.encode(corpus, index, known)

    def _choose(self, waiting: list[Encoded]) -> list[list[int]]:
        lengths = [len(document.tokens) for document in waiting]
        pictures = [len(document.images) for document in waiting]
        return choose_rows(lengths, self._limits.length, pictures, self._limits.images)

    def _pack(self, documents: list[Encoded]) -> Row:
        return pack(documents, self._limits.length, self._prompt.pad_id)

    @property
    def counts(self) -> dict[str, Counts]:
        """What was done with each corpus so far, before a restore included."""
        return self._intake.counts

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        """The next row.

        Raises:
            TooManyBadSamples: more than ``blend.bad_share`` and at least 20 documents of a corpus
                are broken.
            ConfigError: no document of a corpus can be used.
        """
        row = next(self._chain)
        self._intake.count_row(row)
        return row

    def settings(self) -> dict[str, Any]:
        """What the order of rows depends on, flat, by the name a user knows it under."""
        if self._settings is None:
            blend = self._blend
            settings: dict[str, Any] = {
                "seed": self._seed,
                "length": self._limits.length,
                "images": self._limits.images,
                "stream": self._stream,
                "blend.streams": blend.streams,
                "blend.shuffle_buffer": blend.shuffle_buffer,
                "blend.packing_buffer": blend.packing_buffer,
                "blend.values": blend.values,
                "blend.per": blend.per,
                "blend.corpora": list(blend.corpora),
                "tokenizer": self._prompt.fingerprint(),
                "tokens_per_image": self._prompt.counting,
                "megatron-energon": ENERGON_VERSION,
            }
            for name, source in self._sources.items():
                settings[f"blend.corpora.{name}"] = blend.corpora[name]
                settings[f"corpora.{name}.template"] = source.template
                settings[f"corpora.{name}.derive"] = source.derive.model_dump()
                settings[f"corpora.{name} (content)"] = source.reader.fingerprint()
            self._settings = settings
        return self._settings

    def state(self) -> dict[str, Any]:
        """The place behind the last row, as JSON; with the settings that it belongs to."""
        return {
            "version": STATE_VERSION,
            "settings": dict(self.settings()),
            "counts": {name: asdict(counts) for name, counts in self.counts.items()},
            "bad": {name: dict(sorted(kinds.items())) for name, kinds in self._intake.bad.items()},
            "energon": self._chain.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue exactly behind the row after which ``state`` was taken.

        Raises:
            ConfigError: the state is of another version, or was taken under other settings: the
                error names the first that differs.
        """
        if state.get("version") != STATE_VERSION:
            raise ConfigError(
                f"data state of version {state.get('version')!r}; expected {STATE_VERSION}"
            )
        then, now = state["settings"], self.settings()
        for key in [*now, *(key for key in then if key not in now)]:
            if then.get(key) != now.get(key):
                raise ConfigError(
                    f"data state was saved with {key}={then.get(key)!r}, now it is"
                    f" {now.get(key)!r}: the order of documents would differ;"
                    " resume with the former value, or start the stage anew"
                )
        self._build()
        self._chain.restore(state["energon"])
        self._intake.counts.update(
            {name: Counts(**counts) for name, counts in state["counts"].items()}
        )
        self._intake.bad.update({name: dict(kinds) for name, kinds in state["bad"].items()})


def _check(corpora: Mapping[str, CorpusSource], blend: Blend, stream: int) -> None:
    if not blend.corpora:
        raise ConfigError("blend.corpora is empty; expected at least one corpus with its value")
    if not 0 <= stream < blend.streams:
        raise ConfigError(f"stream {stream} of blend.streams={blend.streams}")
    for name, value in blend.corpora.items():
        if name not in corpora:
            raise unknown("corpus", name, corpora)
        if not value > 0:
            raise ConfigError(f"blend.corpora.{name}={value}; expected a value above 0")
        count = len(corpora[name].reader)
        if count < blend.streams:
            raise ConfigError(
                f"corpus {name!r} has {count} documents, fewer than blend.streams={blend.streams};"
                " expected at least one for each stream"
            )
        share = value * (1 if blend.values == "epochs" else 1 / count)
        if blend.values != "weights" and share * count < blend.streams:
            raise ConfigError(
                f"blend.corpora.{name}={value:g} {blend.values} of {count} documents is less than"
                f" one for each of blend.streams={blend.streams}"
            )
