"""Megatron-Energon: blends, shuffles, packs, remembers its place. Only this module imports it.

Energon sees places (corpus, index) instead of documents until these have left the shuffle buffer:
so that the buffer stays small, and restoring it reads nothing.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from megatron.energon import DefaultTaskEncoder, WorkerConfig, stateless
from megatron.energon import __version__ as ENERGON_VERSION
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

from vilax.data.packing import Row
from vilax.data.prompt import Encoded
from vilax.data.state import from_json, to_json

__all__ = ["ENERGON_VERSION", "Chain", "Drawn", "Hooks"]

SLICES = 2048
"""A stream's part of a corpus is read as at most so many runs of neighbours, in random order."""

PARALLEL_SLICES = 16
"""Runs that a stream reads side by side."""

_RECORDS = {"SliceState": SliceState}
"""The only classes that a restored state may hold."""


@dataclass(frozen=True)
class Drawn:
    """A corpus as the blend draws from it.

    Attributes:
        length: documents in it.
        weight: chance per document drawn; or, in an exact blend, passes over it in one pass over
            the blend.
    """

    length: int
    weight: float


@dataclass(frozen=True)
class Hooks:
    """What is ours in the chain.

    Attributes:
        encode: (corpus, index, read before) to what can be packed of that document.
        choose: documents waiting, oldest first, to the rows made now, as indexes; the first row
            holds the oldest, and those in no row go on waiting.
        pack: the documents of a row to the row.
    """

    encode: Callable[[str, int, bool], list[Encoded]]
    choose: Callable[[list[Encoded]], list[list[int]]]
    pack: Callable[[list[Encoded]], Row]


class _Sample:
    """What travels through energon: it needs a restore key that can be set, nothing else."""

    __slots__ = ("__restore_key__", "payload")

    def __init__(self, restore_key: tuple[Any, ...], payload: Any) -> None:
        self.__restore_key__ = restore_key
        self.payload = payload


class _Place:
    """A reader for energon that hands out places."""

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
    """Makes the rows that are chosen; the other documents go on waiting."""

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
        rows = self._encoder.hooks.choose([sample.payload for sample in samples])
        chosen = {index for row in rows for index in row}
        for index, sample in enumerate(samples):
            if index not in chosen:
                self._reading_buffer.append(sample)
        return [[samples[index] for index in row] for row in rows]

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

    def __init__(self, hooks: Hooks) -> None:
        super().__init__()
        self.hooks = hooks
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
            pieces = self.hooks.encode(corpus, index, known)
        except Exception as error:
            error.add_note(f"while reading document {index} of corpus {corpus!r}")
            # Energon prints other exceptions and goes on; this way they reach Chain.__next__.
            self.failure = error
            raise FatalSampleError from error
        for piece in pieces:
            yield _Sample(sample.__restore_key__, piece)

    @stateless  # type: ignore[untyped-decorator]
    def pack_selected_samples(self, samples: list[_Sample]) -> _Sample:
        row = self.hooks.pack([sample.payload for sample in samples])
        return _Sample(samples[0].__restore_key__, row)


class Chain:
    """An endless iterator of rows over the part of a blend that one logical stream has.

    Its order depends on the arguments alone.

    Args:
        corpora: what is drawn from, in the order of the blend.
        is_exact: weights are passes over a corpus in one pass over the blend, and drawn exactly so
            often (but for the part of a document that a fraction leaves in each stream).
        seed: of blending and shuffling.
        stream: which stream this is, from 0.
        streams: how many there are.
        shuffle_buffer: documents among which the next is drawn.
        packing_buffer: documents among which packing chooses.
        hooks: encoding and packing.
    """

    def __init__(
        self,
        corpora: Mapping[str, Drawn],
        is_exact: bool,
        seed: int,
        stream: int,
        streams: int,
        shuffle_buffer: int,
        packing_buffer: int,
        hooks: Hooks,
    ) -> None:
        def worker(offset: int) -> WorkerConfig:
            return WorkerConfig(
                rank=stream,
                world_size=streams,
                num_workers=0,
                seed_offset=offset,
                global_error_handler=reraise_exception,
            )

        self._encoder = _Encoder(hooks)
        datasets = [
            LoadedDataset(
                # With one seed for all, corpora of equal size would be shuffled alike.
                dataset=cast(Any, _Factory(name, drawn.length, worker(_mixed(seed, name)))),
                **{"repetitions" if is_exact else "weight": drawn.weight},
            )
            for name, drawn in corpora.items()
        ]
        mode = DatasetBlendMode.SAMPLE_REPETITIONS if is_exact else DatasetBlendMode.DATASET_WEIGHT
        chain = self._encoder.build_train_datasets(
            datasets=datasets,
            worker_config=worker(seed),
            batch_size=None,
            packing_buffer_size=packing_buffer,
            shuffle_buffer_size=shuffle_buffer,
            blend_mode=mode,
        )
        self._dataset = SimpleSavableDatasetWrapper(chain, worker(seed), cache_pool=None)
        self._iterator: Iterator[tuple[int, int, _Sample]] = iter(self._dataset)

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        """The next row; an exception of ``Hooks.encode`` comes through as it was raised."""
        try:
            _, _, sample = next(self._iterator)
        except FatalSampleError:
            if self._encoder.failure is None:
                raise
            raise self._encoder.failure from None
        return cast(Row, sample.payload)

    def state(self) -> Any:
        """The place behind the last row, as JSON."""
        return to_json(self._dataset.save_state(), _RECORDS)

    def restore(self, state: Any) -> None:
        """Continue behind the row after which ``state`` was taken; only before the first row.

        Raises:
            TypeError: no such state.
        """
        self._dataset.restore_state(from_json(state, _RECORDS))


def _mixed(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:6], "big")
