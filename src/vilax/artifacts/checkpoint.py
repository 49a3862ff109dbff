"""Resume checkpoints: private to a run, sharded by torch's DCP, whole or not there at all.

A checkpoint is a folder ``step-00000123`` with DCP's shards, ``progress.json`` and a manifest of
checksums. It is written under another name and renamed once every rank is done. DCP's own index is
a pickle: it is read only after its checksum, and through an unpickler that builds nothing but the
index's own classes.
"""

import json
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load as load_shards
from torch.distributed.checkpoint.state_dict_saver import save as save_shards

from vilax.artifacts.files import damaged, manifest, sync_folder, write_json

MANIFEST = "manifest.json"
PROGRESS = "progress.json"
KEEP = 2

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
            pickle.UnpicklingError: it holds anything but tensors' whereabouts.
        """
        with (Path(self.path) / ".metadata").open("rb") as file:
            metadata: Metadata = IndexUnpickler(file).load()
        for name, facts in metadata.state_dict_metadata.items():
            if not isinstance(facts, TensorStorageMetadata):
                raise pickle.UnpicklingError(f"{name} in a checkpoint is not a tensor")
        if metadata.storage_meta is None:
            metadata.storage_meta = StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


def tensors_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Trained weights and their optimizer state, flat, by parameter name.

    Optimizer state that does not exist yet is created as zeros, so that there is a place to load
    into. Weights keep their sharding.
    """
    found: dict[str, Tensor] = {}
    inside = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if id(parameter) not in inside:
            continue
        found[f"model/{name}"] = parameter.detach()
        state = optimizer.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        for key in ("step", "exp_avg", "exp_avg_sq"):
            found[f"optimizer/{name}/{key}"] = state[key]
    if not optimizer.param_groups or not found:
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
    """
    alone = not dist.is_initialized()
    is_main = alone or dist.get_rank() == 0
    target = folder / f"step-{step:08d}"
    partial = folder / f"{target.name}.partial"
    if is_main:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    if not alone:
        dist.barrier()
    writer = FileSystemWriter(partial, sync_files=True)
    save_shards(tensors_of(model, optimizer), storage_writer=writer, no_dist=alone)
    if not alone:
        dist.barrier()
    if is_main:
        write_json(partial / PROGRESS, progress)
        write_json(partial / MANIFEST, manifest(partial))
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        sync_folder(folder)
        for old in list(_complete(folder))[:-KEEP]:
            shutil.rmtree(old)
    if not alone:
        dist.barrier()
    return target


def _complete(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("step-*")):
        if path.is_dir() and not path.name.endswith(".partial"):
            yield path


def latest(folder: Path) -> Path | None:
    """The newest checkpoint whose files are what its manifest says; damaged ones are named."""
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
    """Read a checkpoint into a model and its optimizer, at any world size.

    Returns:
        The progress that was saved with it.

    Raises:
        pickle.UnpicklingError: its index was tampered with.
    """
    tensors = tensors_of(model, optimizer)
    load_shards(tensors, storage_reader=SafeReader(path), no_dist=not dist.is_initialized())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if f"model/{name}" in tensors:
                parameter.copy_(tensors[f"model/{name}"])
                for key in ("step", "exp_avg", "exp_avg_sq"):
                    optimizer.state[parameter][key] = tensors[f"optimizer/{name}/{key}"]
    progress: dict[str, Any] = json.loads((path / PROGRESS).read_text(encoding="utf-8"))
    return progress
