"""Tensors of a checkpoint in whatever files it lies, without running code from them."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vilax.config.errors import ConfigError

PATTERNS = ("*.safetensors", "pytorch_model*.bin", "*.pt", "*.pth")
"""Files of weights, the first kind that is there; a folder's others are not read."""

NOT_WEIGHTS = ("position_ids", "rotary_emb.inv_freq")
"""Ends of names of tables that older files hold and that follow from the architecture."""


def read_folder(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder's weight files.

    Raises:
        ConfigError: there are none, a file is damaged or holds more than tensors, or two files hold
            the same tensor.
    """
    for pattern in PATTERNS:
        if files := sorted(folder.glob(pattern)):
            break
    else:
        raise ConfigError(f"{folder} has no weights: expected .safetensors, .bin or .pt files")
    found: dict[str, Tensor] = {}
    for file in files:
        for name, tensor in read_file(file).items():
            if name in found:
                raise ConfigError(f"{file.name} has the tensor {name} once more")
            found[name] = tensor
    return found


def read_file(file: Path) -> dict[str, Tensor]:
    """Tensors of one file, on the CPU.

    Raises:
        ConfigError: it is damaged, or holds more than tensors.
    """
    try:
        if file.suffix == ".safetensors":
            found = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).split("\n", 1)[0]
        raise ConfigError(f"{file} cannot be read as weights and nothing else: {reason}") from error
    if not isinstance(found, Mapping):
        raise ConfigError(f"{file} holds a {type(found).__name__}: expected tensors by name")
    model: Any = found.get("model")
    if isinstance(model, Mapping):
        # A checkpoint of training: what it has beside the model, such as an optimizer, is not read.
        found = _joined(model)
    for name, tensor in found.items():
        if not isinstance(tensor, Tensor):
            raise ConfigError(f"{file}: {name} is a {type(tensor).__name__}, expected a tensor")
    return {n: t for n, t in found.items() if not str(n).endswith(NOT_WEIGHTS)}


def _joined(model: Mapping[str, Any]) -> dict[str, Any]:
    """``part.name`` of a mapping of parts; of tensors themselves, the mapping."""
    found: dict[str, Any] = {}
    for part, held in model.items():
        if isinstance(held, Mapping):
            found |= {f"{part}.{name}": tensor for name, tensor in held.items()}
        else:
            found[part] = held
    return found


def match(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], part: str, optional: set[str]
) -> dict[str, Tensor]:
    """The tensors, if they are exactly those that are expected.

    Args:
        tensors: what a checkpoint has for a part, by the part's names.
        expected: what the part needs.
        part: its name, for messages.
        optional: names that may be missing, for they are tied to others.

    Raises:
        ConfigError: naming the first tensor that is missing, superfluous or misshapen.
    """
    for name in expected:
        if name not in tensors and name not in optional:
            raise ConfigError(f"{part}: tensor {name} is missing")
    for name, tensor in tensors.items():
        if name not in expected:
            raise ConfigError(f"{part}: tensor {name} belongs to no place in the model")
        if tensor.shape != expected[name].shape:
            raise ConfigError(
                f"{part}: tensor {name} is {tuple(tensor.shape)}, expected"
                f" {tuple(expected[name].shape)}"
            )
    return dict(tensors)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Weights for a file: contiguous, a tied one once under its first name."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in module.state_dict().items():
        if tensor.data_ptr() not in seen or tensor.numel() == 0:
            seen.add(tensor.data_ptr())
            found[name] = tensor.detach().contiguous()
    return found
