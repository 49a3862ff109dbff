"""The stream of packed rows: megatron-energon blends, shuffles, packs and remembers its place."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from megatron.energon import DefaultTaskEncoder, WorkerConfig, stateless
from megatron.energon import __version__ as energon_version
from megatron.energon.errors import FatalSampleError, reraise_exception
from megatron.energon.flavors.base_dataset import SavableDataset
from megatron.energon.flavors.webdataset.sample_loader import (
    RawSampleData,
    SliceState,
    WebdatasetSampleLoaderDataset,
)
from megatron.energon.flavors.webdataset.sharder import Sharder
from megatron.energon.metadataset.loader_interface import DatasetBlendMode, LoadedDataset
from megatron.energon.savable_loader import SimpleSavableDatasetWrapper
from megatron.energon.wrappers import MapDataset, PackingDataset

from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.data import Blend
from vilax.data.intake import CorpusSource, Counts, Intake, TooManyBadSamples
from vilax.data.packing import Row, best_fit, pack
from vilax.data.prompt import PromptEncoder
from vilax.data.state import from_json, to_json

__all__ = ["CorpusSource", "Counts", "Stream", "TooManyBadSamples"]

STATE_VERSION = 1

SLICES = 2048
"""A stream's part of a corpus is read as at most so many runs of neighbours, in random order."""

PARALLEL_SLICES = 16
"""Runs that a stream reads side by side."""


_RECORDS = {"SliceState": SliceState}
"""The only classes that a restored state may hold."""


class _Sample:
    """What travels through energon: it needs a restore key that can be set, nothing else."""

    __slots__ = ("__restore_key__", "payload")

    def __init__(self, restore_key: tuple[Any, ...], payload: Any) -> None:
        self.__restore_key__ = restore_key
        self.payload = payload


class _Place:
    """A reader for energon that hands out places instead of documents.

    Documents are read behind the shuffle buffer, which so holds (corpus, index) pairs: it stays
    small, and restoring it reads nothing.
    """

    def __init__(self, corpus: str, length: int) -> None:
        self._corpus = corpus
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[str, int]:
        return self._corpus, index


@dataclass(frozen=True)
class _Shard:
    """A range as energon's sharder wants it: all of one corpus."""

    count: int


class _Factory(Sharder):  # type: ignore[misc]
    """Energon's dataset over a corpus; the sharder gives each stream its part."""

    __sample_type__ = RawSampleData

    def __init__(self, corpus: str, length: int, worker: WorkerConfig) -> None:
        self.corpus = corpus
        self.length = length
        self.worker = worker
        self.subflavors: dict[str, Any] = {}

    def __len__(self) -> int:
        return self.length

    def build(self, worker_rotation_offset: int = 0) -> SavableDataset:
        run = -(-self.length // (self.worker.world_size * SLICES))
        offsets = self.shard_workers(
            [_Shard(self.length)],
            worker_config=self.worker,
            max_samples_per_sequence=run,
            rotation_offset=worker_rotation_offset,
        )
        return WebdatasetSampleLoaderDataset(
            join_readers=[_Place(self.corpus, self.length)],
            workers_sample_slice_offsets=offsets,
            worker_config=self.worker,
            shuffle_over_epochs=1,
            parallel_slice_iters=PARALLEL_SLICES,
        )


class _Packing(PackingDataset):  # type: ignore[misc]
    """Packs a buffer, but holds its emptiest row back until more documents have come."""

    def __init__(self, dataset: SavableDataset, size: int, encoder: "_Encoder") -> None:
        self._encoder = encoder
        super().__init__(
            dataset,
            size,
            pre_packer=self._select,
            final_packer=encoder.pack_selected_samples,
            final_packer_stateless=True,
            worker_config=dataset.worker_config,
        )

    def _select(self, samples: list[_Sample]) -> list[list[_Sample]]:
        rows = self._encoder.select_samples_to_pack(samples)
        # The oldest sample is in the first row: as that one always leaves, none waits forever.
        if len(rows) > 1:
            fill = [sum(len(s.payload.tokens) for s in row) for row in rows[1:]]
            if min(fill) < self._encoder.intake.length:
                for sample in rows.pop(1 + fill.index(min(fill))):
                    self._reading_buffer.append(sample)
        return rows

    def _fill_reading_buffer(self, source_iter: Iterator[Any], log_progress: bool = False) -> bool:
        # Energon's own progress bar would end up between the lines of ours.
        return bool(super()._fill_reading_buffer(source_iter, log_progress=False))


class _Encoding(MapDataset):  # type: ignore[misc]
    """Encodes documents; what is encoded again after a restore is not counted again."""

    def __init__(self, dataset: SavableDataset, encoder: "_Encoder") -> None:
        self._encoder = encoder
        super().__init__(
            dataset,
            encoder.encode_sample,
            stateless_map_fn=True,
            worker_config=dataset.worker_config,
        )

    def __iter__(self) -> Iterator[Any]:
        self._encoder.known = self._generator_sample_key is not None
        yield from super().__iter__()

    def restore_sample(self, restore_key: tuple[Any, ...]) -> Any:
        self._encoder.known = True
        try:
            return super().restore_sample(restore_key)
        finally:
            self._encoder.known = False


class _Encoder(DefaultTaskEncoder):  # type: ignore[misc]
    """Energon's hooks: places to encoded documents, and those to rows."""

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self.intake = intake
        self.known = False
        self.failure: Exception | None = None

    def build_encode_sample(
        self, dataset: SavableDataset, *, worker_config: WorkerConfig
    ) -> SavableDataset:
        return _Encoding(dataset, self)

    def build_batch(
        self, dataset: SavableDataset, *, packing_buffer_size: int, **unused: Any
    ) -> SavableDataset:
        return _Packing(dataset, packing_buffer_size, self)

    @stateless  # type: ignore[untyped-decorator]
    def encode_sample(self, sample: RawSampleData) -> Iterator[_Sample]:
        corpus, index = sample.data[0]
        known, self.known = self.known, False
        try:
            pieces = self.intake.encode(corpus, index, known)
        except Exception as error:
            # Energon prints other exceptions and goes on; this way they reach Stream.__next__.
            self.failure = error
            raise FatalSampleError from error
        for piece in pieces:
            yield _Sample(sample.__restore_key__, piece)

    def select_samples_to_pack(self, samples: list[_Sample]) -> list[list[_Sample]]:
        rows = best_fit([len(s.payload.tokens) for s in samples], self.intake.length)
        return [[samples[i] for i in row] for row in rows]

    @stateless  # type: ignore[untyped-decorator]
    def pack_selected_samples(self, samples: list[_Sample]) -> _Sample:
        intake = self.intake
        row = pack([s.payload for s in samples], intake.length, intake.encoder.pad_id)
        return _Sample(samples[0].__restore_key__, row)


class Stream:
    """One logical stream: an endless iterator of packed rows whose place can be saved.

    A job has ``blend.streams`` of them. Each is a fixed part of every corpus in an order that
    depends on (seed, stream, streams) alone, so the job sees the same rows at any world size.

    Args:
        corpora: sources by the name that the blend uses.
        blend: weights (chance per document drawn) and buffers.
        encoder: documents to tokens.
        length: tokens of a row.
        seed: seed of blending and shuffling.
        stream: which stream this is, from 0.
        quarantine: JSONL file to which broken documents are appended, once each.

    Attributes:
        counts: by corpus, what was read, handed out, dropped.

    Raises:
        ConfigError: the blend is empty or names another corpus, a weight is not above 0, or a
            corpus has fewer documents than there are streams.
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
    ) -> None:
        _check(corpora, blend, stream)
        self._sources = {name: corpora[name] for name in blend.corpora}
        self._blend = blend
        self._prompt = encoder
        self._length = length
        self._seed = seed
        self._stream = stream
        self._quarantine = quarantine
        self._settings: dict[str, Any] | None = None
        self._build()

    def _worker(self, seed: int) -> WorkerConfig:
        return WorkerConfig(
            rank=self._stream,
            world_size=self._blend.streams,
            num_workers=0,
            seed_offset=seed,
            global_error_handler=reraise_exception,
        )

    def _build(self) -> None:
        streams = self._blend.streams
        shares = {name: len(s.reader) // streams for name, s in self._sources.items()}
        self._intake = Intake(self._sources, shares, self._prompt, self._length, self._quarantine)
        self._encoder = _Encoder(self._intake)
        worker = self._worker(self._seed)
        datasets = [
            LoadedDataset(
                # With one seed for all, corpora of equal size would be shuffled alike.
                dataset=cast(
                    Any, _Factory(name, len(s.reader), self._worker(_mixed(self._seed, name)))
                ),
                weight=self._blend.corpora[name],
            )
            for name, s in self._sources.items()
        ]
        chain = self._encoder.build_train_datasets(
            datasets=datasets,
            worker_config=worker,
            batch_size=None,
            packing_buffer_size=self._blend.packing_buffer,
            shuffle_buffer_size=self._blend.shuffle_buffer,
            blend_mode=DatasetBlendMode.DATASET_WEIGHT,
        )
        self._dataset = SimpleSavableDatasetWrapper(chain, worker, cache_pool=None)
        self._iterator: Iterator[tuple[int, int, _Sample]] = iter(self._dataset)

    @property
    def counts(self) -> dict[str, Counts]:
        """What was done with each corpus so far, before a restore included."""
        return self._intake.counts

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        """The next row.

        Raises:
            TooManyBadSamples: more than 1 % and at least 20 documents of a corpus are broken.
            ConfigError: no document of a corpus can be used.
        """
        try:
            _, _, sample = next(self._iterator)
        except FatalSampleError:
            if self._encoder.failure is None:
                raise
            raise self._encoder.failure from None
        row = cast(Row, sample.payload)
        self._intake.count_row(row)
        return row

    def settings(self) -> dict[str, Any]:
        """What the order of rows depends on, flat, by the name a user knows it under."""
        if self._settings is None:
            settings: dict[str, Any] = {
                "seed": self._seed,
                "length": self._length,
                "stream": self._stream,
                "blend.streams": self._blend.streams,
                "blend.shuffle_buffer": self._blend.shuffle_buffer,
                "blend.packing_buffer": self._blend.packing_buffer,
                "blend.corpora": list(self._blend.corpora),
                "tokenizer": self._prompt.fingerprint(),
                "tokens_per_image": self._prompt.tokens_per_image,
                "megatron-energon": energon_version,
            }
            for name, source in self._sources.items():
                settings[f"blend.corpora.{name}"] = self._blend.corpora[name]
                settings[f"corpora.{name}.template"] = source.template
                settings[f"corpora.{name} (content)"] = source.reader.fingerprint()
            self._settings = settings
        return self._settings

    def state(self) -> dict[str, Any]:
        """The place behind the last row, as JSON; with the settings that it belongs to."""
        return {
            "version": STATE_VERSION,
            "settings": dict(self.settings()),
            "counts": {name: asdict(counts) for name, counts in self.counts.items()},
            "bad": {name: sorted(keys) for name, keys in self._intake.bad.items()},
            "energon": to_json(self._dataset.save_state(), _RECORDS),
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
        self._dataset.restore_state(from_json(state["energon"], _RECORDS))
        self._intake.counts.update(
            {name: Counts(**counts) for name, counts in state["counts"].items()}
        )
        self._intake.bad.update({name: set(keys) for name, keys in state["bad"].items()})


def _check(corpora: Mapping[str, CorpusSource], blend: Blend, stream: int) -> None:
    if not blend.corpora:
        raise ConfigError("blend.corpora is empty; expected at least one corpus with its weight")
    if not 0 <= stream < blend.streams:
        raise ConfigError(f"stream {stream} of blend.streams={blend.streams}")
    for name, weight in blend.corpora.items():
        if name not in corpora:
            raise unknown("corpus", name, corpora)
        if not weight > 0:
            raise ConfigError(f"blend.corpora.{name}={weight}; expected a weight above 0")
        count = len(corpora[name].reader)
        if count < blend.streams:
            raise ConfigError(
                f"corpus {name!r} has {count} documents, fewer than blend.streams={blend.streams};"
                " expected at least one for each stream"
            )


def _mixed(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:6], "big")
