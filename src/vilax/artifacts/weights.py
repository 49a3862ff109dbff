"""Weights as safetensors: written at once, read only if every tensor is as expected."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor


def save_weights(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors to a safetensors file, visible only when whole."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    os.close(handle)
    save_file(dict(tensors), temporary)
    Path(temporary).chmod(0o644)
    os.replace(temporary, path)


def load_weights(path: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read tensors of known names and shapes.

    Raises:
        ValueError: naming the first tensor that is missing, superfluous or misshapen.
    """
    tensors = load_file(path)
    for name in expected:
        if name not in tensors:
            raise ValueError(f"{path.name} has no tensor {name}")
    for name, tensor in tensors.items():
        if name not in expected:
            raise ValueError(f"{path.name} has a tensor {name} that the model does not")
        if tuple(tensor.shape) != expected[name]:
            raise ValueError(
                f"{path.name}: tensor {name} is {tuple(tensor.shape)}, the model's is"
                f" {expected[name]}"
            )
    return tensors
