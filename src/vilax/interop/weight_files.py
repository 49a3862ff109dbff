"""The weight files of a checkpoint, read as tensors and nothing else."""

import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vilax.config.errors import ConfigError
from vilax.interop.progress import Tell, silent
from vilax.interop.reading import read_json

WHOLE = ("model.safetensors", "pytorch_model.bin")
"""Names of all weights in one file; those of shards are in ``NAME.index.json``. As in transformers,
the first that is there counts."""

PATTERNS = ("*.safetensors", "pytorch_model*.bin", "*.pt", "*.pth")
"""Files of weights that no name or index tells, the first kind that is there."""

BESIDE = (
    "adapter_model", "consolidated", "mm_projector", "non_lora_trainables", "optimizer",
    "rng_state", "scheduler",
)  # fmt: skip
"""Begins of names of files that lie beside a model's weights and are none of them."""

ADAPTER = "adapter_config.json"
"""In a folder of an adapter."""

SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")

NOT_WEIGHTS = ("position_ids", "rotary_emb.inv_freq")
"""Ends of names of tables that older files hold and that follow from the architecture."""

POINTER = b"version https://git-lfs"
"""How a file begins that Git LFS left in the place of the real one."""


def weight_files(folder: Path) -> list[Path]:
    """Files with all weights of a folder; none where it has none.

    Raises:
        ConfigError: the folder is an adapter, or its index names a file that is not there.
    """
    if (folder / ADAPTER).is_file():
        raise ConfigError(
            f"{folder} has {ADAPTER}: an adapter apart from the weights that it changes is imported"
            " of LLaVA's own layout alone; merge it first (peft's merge_and_unload) and import the"
            " whole"
        )
    for name in WHOLE:
        if (folder / name).is_file():
            return [folder / name]
        if (folder / f"{name}.index.json").is_file():
            return _indexed(folder / f"{name}.index.json")
    for pattern in PATTERNS:
        files = [file for file in folder.glob(pattern) if not file.name.startswith(BESIDE)]
        if files:
            return sorted(files)
    return []


def _indexed(index: Path) -> list[Path]:
    weights = read_json(index).get("weight_map")
    if not isinstance(weights, dict) or not weights:
        raise ConfigError(f"{index}: expected the files of tensors by name at weight_map")
    files = {}
    for tensor, name in weights.items():
        if not isinstance(name, str) or Path(name).name != name:
            raise ConfigError(f"{index}: tensor {tensor} is in {name!r}, expected a file beside it")
        if name not in files and not (index.parent / name).is_file():
            raise ConfigError(f"{index.parent} has no {name}, in which tensor {tensor} should be")
        files[name] = index.parent / name
    return [files[name] for name in sorted(files)]


def read_folder(folder: Path, tell: Tell = silent) -> dict[str, Tensor]:
    """All tensors of a folder's weight files.

    Raises:
        ConfigError: there are none, a file is damaged or holds more than tensors, or two files hold
            the same tensor.
    """
    files = weight_files(folder)
    if not files:
        hint = ""
        if (folder / "zero_to_fp32.py").is_file():
            hint = (
                "; python zero_to_fp32.py . pytorch_model.bin, run there, makes one of DeepSpeed's"
            )
        raise ConfigError(
            f"{folder} has no weights: expected .safetensors, .bin or .pt files{hint}"
        )
    found: dict[str, Tensor] = {}
    for file, tensors in _read(files, tell):
        for name, tensor in tensors.items():
            if name in found:
                raise ConfigError(f"{file.name} has the tensor {name} once more")
            found[name] = tensor
    return found


def _read(files: list[Path], tell: Tell) -> Iterable[tuple[Path, dict[str, Tensor]]]:
    for file in files:
        if not file.is_file():
            raise ConfigError(f"{file} is no file, or a link to one that is gone")
    sizes = [file.stat().st_size for file in files]
    for number, file in enumerate(files):
        tell(f"reading {file.name}", sum(sizes[:number]), sum(sizes))
        yield file, read_file(file)
    tell(f"reading {files[-1].name}", sum(sizes), sum(sizes))


def read_file(file: Path) -> dict[str, Tensor]:
    """Tensors of one file, on the CPU.

    Raises:
        ConfigError: it is damaged, or holds more than tensors.
    """
    try:
        with file.open("rb") as opened:
            if opened.read(len(POINTER)) == POINTER:
                raise ConfigError(
                    f"{file} is a pointer of Git LFS, not the weights: git lfs pull brings them"
                )
        if file.suffix == ".safetensors":
            found = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ConfigError(
            f"{file} cannot be read as weights and nothing else: {_reason(error)}"
        ) from error
    if not isinstance(found, Mapping):
        raise ConfigError(f"{file} holds a {type(found).__name__}: expected tensors by name")
    for key in ("model", "state_dict"):
        model: Any = found.get(key)
        if isinstance(model, Mapping):
            # A checkpoint of training: what it has beside the model, such as an optimizer, is not
            # read.
            found = _joined(model)
            break
    for name, tensor in found.items():
        if not isinstance(tensor, Tensor):
            raise ConfigError(f"{file}: {name} is a {type(tensor).__name__}, expected a tensor")
    return {n: t for n, t in found.items() if not str(n).endswith(NOT_WEIGHTS)}


def _reason(error: Exception) -> str:
    """Why a file is refused; torch's own advice, to run the code in it, is left out."""
    if isinstance(error, pickle.UnpicklingError):
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        return f"it asks for the code {found[1]}" if found else "it is no file of tensors"
    return str(error).split("\n", 1)[0]


def _joined(model: Mapping[str, Any]) -> dict[str, Any]:
    """``part.name`` of a mapping of parts; of tensors themselves, the mapping."""
    found: dict[str, Any] = {}
    for part, held in model.items():
        if isinstance(held, Mapping):
            found |= {f"{part}.{name}": tensor for name, tensor in held.items()}
        else:
            found[part] = held
    return found
