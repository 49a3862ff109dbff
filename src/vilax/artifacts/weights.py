"""Weights as safetensors: written at once, read only if every tensor is as expected."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from vilax.artifacts.files import replacing


def save_weights(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors to a safetensors file, visible only when whole.

    Args:
        tensors: contiguous, no two of them sharing memory: a tied weight has one name.
        path: the file; its folder exists.
    """
    with replacing(path) as temporary:
        save_file(dict(tensors), temporary)


def tensor_names(path: Path) -> list[str]:
    """Names of the tensors in a safetensors file; their data are not read.

    Raises:
        ValueError: the file is no whole safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file: {error}") from error


def load_weights(path: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read tensors of known names and shapes.

    Raises:
        ValueError: naming the first tensor that is missing, superfluous or misshapen; or the file
            is no whole safetensors file.
    """
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file: {error}") from error
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
