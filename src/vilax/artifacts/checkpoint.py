"""Resume checkpoints: private to a run, sharded by torch's DCP, whole or not there at all.

A checkpoint is a folder ``step-00000123`` with DCP's shards, ``progress.json`` and a manifest of
checksums. It is written under another name and renamed once every rank is done. DCP's own index is
a pickle: it is read only after its checksum, and through an unpickler that builds nothing but the
index's own classes. An index may name tensors only, which torch reads with ``weights_only=True``;
other values would reach DCP's planner, which unpickles them freely (torch 2.14,
``default_planner.py``, ``load_bytes``).
"""

import json
import pickle
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load as load_shards
from torch.distributed.checkpoint.state_dict_saver import save as save_shards

from vilax.artifacts.files import damaged, manifest, sha256, sync_folder, write_json

MANIFEST = "manifest.json"
PROGRESS = "progress.json"
INDEX = ".metadata"
KEEP = 2
PARTIAL = ".partial"
SLOTS = ("step", "exp_avg", "exp_avg_sq")

ALLOWED = {
    "torch": {"Size", "device", "strided"}
    | {str(d)[6:] for d in vars(torch).values() if isinstance(d, torch.dtype)},
    "torch.serialization": {"_get_layout"},
    "torch.distributed.checkpoint.metadata": {
        "Metadata",
        "MetadataIndex",
        "ChunkStorageMetadata",
        "TensorProperties",
        "TensorStorageMetadata",
        "StorageMeta",
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo", "_StoragePrefix"},
    "collections": {"OrderedDict"},
    "pathlib": {"PosixPath"},
}


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read: damaged, tampered with, or of another model."""


class IndexUnpickler(pickle.Unpickler):
    """Builds the classes of DCP's index and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Look a global up in the allow-list.

        Raises:
            pickle.UnpicklingError: it is not in the list.
        """
        if name not in ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(f"a checkpoint's index may not use {module}.{name}")
        return super().find_class(module, name)


class SafeReader(FileSystemReader):
    """DCP's reader with the restricted unpickler; tensors only."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Read the index.

        Raises:
            pickle.UnpicklingError: it holds anything but tensors' whereabouts in this folder.
        """
        with (Path(self.path) / INDEX).open("rb") as file:
            metadata = IndexUnpickler(file).load()
        if not isinstance(metadata, Metadata):
            raise pickle.UnpicklingError("the index of a checkpoint is not one")
        for name, facts in metadata.state_dict_metadata.items():
            if not isinstance(facts, TensorStorageMetadata):
                raise pickle.UnpicklingError(f"{name} in a checkpoint is not a tensor")
        for place in (metadata.storage_data or {}).values():
            if Path(place.relative_path).name != place.relative_path:
                raise pickle.UnpicklingError(f"{place.relative_path} is outside the checkpoint")
        if metadata.storage_meta is None:
            metadata.storage_meta = StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


def tensors_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Trained weights and their optimizer state, flat, by parameter name; what is frozen is out.

    Optimizer state that does not exist yet is created as zeros, so that there is a place to load
    into. Weights keep their sharding.

    Raises:
        ValueError: nothing is trained, or the optimizer is no plain Adam or AdamW.
    """
    found: dict[str, Tensor] = {}
    owners = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    is_adam = isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW)
    if not is_adam or any(group["amsgrad"] for group in optimizer.param_groups):
        raise ValueError("checkpoints hold the state of Adam or AdamW without amsgrad only")
    for name, parameter in model.named_parameters():
        if id(parameter) not in owners:
            continue
        found[f"model/{name}"] = parameter.detach()
        state = optimizer.state[parameter]
        if not state:
            group = owners[id(parameter)]
            # Where torch itself puts it: kernels on the device want the count there as well.
            is_there = group["fused"] or group["capturable"]
            device = parameter.device if is_there else torch.device("cpu")
            state["step"] = torch.zeros((), dtype=torch.float32, device=device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        for key in SLOTS:
            found[f"optimizer/{name}/{key}"] = state[key]
    if not found:
        raise ValueError("there is nothing trained to save")
    return found


def save(
    folder: Path,
    step: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
) -> Path:
    """Write a checkpoint; every rank must call it. The last two are kept.

    Args:
        folder: parent of this run's checkpoints.
        step: optimizer steps done; names the checkpoint.
        model: its trained weights are saved, sharded or not.
        optimizer: AdamW.
        progress: JSON that rank 0 writes beside the tensors.

    Returns:
        The checkpoint's folder.

    Raises:
        CheckpointError: a rank could not write its shard.
    """
    alone = not dist.is_initialized()
    is_main = alone or dist.get_rank() == 0
    target = folder / f"step-{step:08d}"
    partial = folder / f"{target.name}{PARTIAL}"
    if is_main:
        for torn in folder.glob(f"step-*{PARTIAL}"):
            shutil.rmtree(torn, ignore_errors=True)
        partial.mkdir(parents=True)
    if not alone:
        dist.barrier()
    writer = FileSystemWriter(partial, sync_files=True)
    tensors = tensors_of(model, optimizer)
    # That one process alone writes it is what is meant.
    warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
    try:
        save_shards(tensors, storage_writer=writer, no_dist=alone)
    except CheckpointException as error:
        why = _lack_of_space(folder, tensors) or _cause(error)
        if is_main:
            # It may be what fills the disk.
            shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(f"checkpoint of step {step} not written: {why}") from error
    if not alone:
        dist.barrier()
    if is_main:
        write_json(partial / PROGRESS, progress)
        write_json(partial / MANIFEST, manifest(partial))
        sync_folder(partial)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        sync_folder(folder)
        for old in list(_complete(folder))[:-KEEP]:
            shutil.rmtree(old)
    if not alone:
        dist.barrier()
    return target


def _lack_of_space(folder: Path, tensors: Mapping[str, Tensor]) -> str:
    """That the disk is full, where it is; torch's own words are of a position in an archive."""
    needed, free = sum(t.nbytes for t in tensors.values()), shutil.disk_usage(folder).free
    if free > needed:
        return ""
    return f"No space left on device: {folder} has {free:,} bytes free, {needed:,} are needed"


def _complete(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("step-*")):
        if path.is_dir() and not path.name.endswith(PARTIAL):
            yield path


def latest(folder: Path) -> Path | None:
    """The newest checkpoint whose files are what its manifest says; damaged ones are named.

    Rank 0 checks and tells the others, which must all call it: ranks that saw different files
    would go on from different steps.
    """
    if not dist.is_initialized():
        return _newest_whole(folder)
    box: list[str | None] = [None]
    if dist.get_rank() == 0:
        found = _newest_whole(folder)
        box = [None if found is None else found.name]
    dist.broadcast_object_list(box, src=0)
    return None if box[0] is None else folder / box[0]


def _newest_whole(folder: Path) -> Path | None:
    for path in reversed(list(_complete(folder))):
        try:
            expected = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            print(f"checkpoint {path.name} has no readable manifest: skipped", file=sys.stderr)
            continue
        wrong = damaged(path, expected)
        if not wrong:
            return path
        print(f"checkpoint {path.name} is damaged in {wrong[0]}: skipped", file=sys.stderr)
    return None


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Read a checkpoint into a model and its optimizer, at any world size; every rank must call it.

    Args:
        path: as ``latest`` gives it, which has checked the shards' content.
        model: whose trained weights are set, sharded or not.
        optimizer: AdamW over them.

    Returns:
        The progress that was saved with it.

    Raises:
        CheckpointError: its index was tampered with, a file is missing, or its tensors are not
            those that this model trains.
    """
    _check_index(path)
    tensors = tensors_of(model, optimizer)
    alone = not dist.is_initialized()
    reader = SafeReader(path)
    try:
        stored = set(reader.read_metadata().state_dict_metadata)
        if odd := sorted(stored ^ set(tensors)):
            where = "only in the checkpoint" if odd[0] in stored else "not in the checkpoint"
            raise CheckpointError(f"{path.name}: {odd[0]} is {where}")
        load_shards(tensors, storage_reader=reader, no_dist=alone)
    except (CheckpointException, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path.name} cannot be read: {_cause(error)}") from error
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if f"model/{name}" in tensors:
                parameter.copy_(tensors[f"model/{name}"])
                for key in SLOTS:
                    optimizer.state[parameter][key] = tensors[f"optimizer/{name}/{key}"]
    progress: dict[str, Any] = json.loads((path / PROGRESS).read_text(encoding="utf-8"))
    return progress


def _check_index(path: Path) -> None:
    """Checksums of the index and the progress, sizes of the shards: cheap enough for every rank."""
    try:
        expected = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        for name, facts in expected.items():
            is_small = name in (INDEX, PROGRESS)
            is_same = (path / name).stat().st_size == facts["bytes"]
            if not is_same or (is_small and sha256(path / name) != facts["sha256"]):
                raise CheckpointError(f"{path.name}: {name} is not what its manifest says")
        if INDEX not in expected:
            raise CheckpointError(f"{path.name}: its manifest lacks the index")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path.name}: manifest or a file of it cannot be read") from error


def _cause(error: BaseException) -> str:
    """The first rank's own words; DCP's exception is no ``Exception`` and prints whole stacks."""
    if isinstance(error, CheckpointException) and error.failures:
        rank, (inner, _) = min(error.failures.items())
        return f"rank {rank}: {inner}"
    return str(error)
