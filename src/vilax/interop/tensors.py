"""Tensors of a part by our names, held against what its architecture needs."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

from vilax.config.errors import ConfigError


class Tensors(dict[str, Tensor]):
    """Tensors by our names, with the names that the files have for them."""

    def __init__(self) -> None:
        super().__init__()
        self.theirs: dict[str, str] = {}

    def put(self, own: str, name: str, tensor: Tensor) -> None:
        """Take a tensor.

        Args:
            own: our name.
            name: the file's.
            tensor: it.

        Raises:
            ConfigError: there is one of this name.
        """
        if own in self:
            raise ConfigError(f"tensor {name} is there once more, as {self.theirs[own]}")
        self[own] = tensor
        self.theirs[own] = name


def named(
    tensors: Mapping[str, Tensor], own: Callable[[str], str] = str, prefix: str = ""
) -> Tensors:
    """Tensors by our names.

    Args:
        tensors: by their names in the files.
        own: our name of a file's.
        prefix: what the files have before these names.

    Raises:
        ConfigError: two have the same name.
    """
    found = Tensors()
    for name, tensor in tensors.items():
        found.put(own(name), f"{prefix}{name}", tensor)
    return found


def file_name(tensors: Mapping[str, Tensor], own: str) -> str:
    """What files of this kind call a tensor, also one that is missing: as those next to it."""
    theirs = tensors.theirs if isinstance(tensors, Tensors) else {}
    if own in theirs:
        return theirs[own]
    steps = own.split(".")
    for known in range(len(steps) - 1, -1, -1):
        before = "".join(f"{step}." for step in steps[:known])
        for other, name in theirs.items():
            rest = other.removeprefix(before)
            if other.startswith(before) and name.endswith(rest):
                return name.removesuffix(rest) + own.removeprefix(before)
    return own


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
        ConfigError: naming the first tensor that is missing, superfluous, misshapen or quantised.
    """
    for name in expected:
        if name not in tensors and name not in optional:
            raise ConfigError(f"{part}: tensor {file_name(tensors, name)} is missing")
    for name, tensor in tensors.items():
        shown = file_name(tensors, name)
        if name not in expected:
            raise ConfigError(f"{part}: tensor {shown} belongs to no place in the model")
        if tensor.shape != expected[name].shape:
            raise ConfigError(
                f"{part}: tensor {shown} is {tuple(tensor.shape)}, expected"
                f" {tuple(expected[name].shape)}"
            )
        is_float = tensor.is_floating_point() and tensor.element_size() > 1
        if expected[name].is_floating_point() and not is_float:
            raise ConfigError(
                f"{part}: tensor {shown} is {tensor.dtype}: expected weights of fp32, bf16 or fp16"
            )
    return dict(tensors)


def fit(module: nn.Module, tensors: Mapping[str, Tensor], part: str, optional: set[str]) -> None:
    """Give a module its tensors.

    Some architectures of transformers have other names or shapes in files than in memory (DINOv2,
    mixtures of experts); both are read.

    Args:
        module: on ``meta``.
        tensors: its tensors, in their own dtypes.
        part: its name, for messages.
        optional: names that may be missing, for they are tied to others.

    Raises:
        ConfigError: naming the first tensor that is missing, superfluous, misshapen or quantised.
    """
    expected = module.state_dict()
    if isinstance(module, PreTrainedModel) and not set(tensors) <= set(expected):
        in_files = revert_weight_conversion(module, dict(expected))
        if in_files.keys() != expected.keys():
            fitting = match(tensors, in_files, part, optional)
            dtypes = {tensor.dtype for tensor in fitting.values()}
            dtype = dtypes.pop() if len(dtypes) == 1 else torch.float32
            filled: Any = type(module).from_pretrained(
                None, config=module.config, state_dict=fitting, dtype=dtype
            )
            tensors = filled.state_dict()
    fitting = match(tensors, expected, part, optional)
    module.load_state_dict(fitting, strict=False, assign=True)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Weights for a file: contiguous, a tied one once under its first name."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in module.state_dict().items():
        if tensor.data_ptr() not in seen or tensor.numel() == 0:
            seen.add(tensor.data_ptr())
            found[name] = tensor.detach().contiguous()
    return found
