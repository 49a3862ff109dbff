"""Weights of image encoders from files of other ports and layouts."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn


def read_tensors(weights: str) -> dict[str, Tensor]:
    """Tensors of a weight file, or of the one weight file in an installed package.

    Args:
        weights: path to ``.safetensors``, ``.pth`` or ``.pt``, or ``package:NAME``.

    Raises:
        ValueError: no such package, or not exactly one weight file in it.
    """
    if weights.startswith("package:"):
        package = weights.removeprefix("package:")
        try:
            root = Path(str(resources.files(package)))
        except ModuleNotFoundError as error:
            raise ValueError(f"package {package!r} of encoder.weights is not installed") from error
        found = sorted(root.rglob("*.pth")) + sorted(root.rglob("*.safetensors"))
        if len(found) != 1:
            raise ValueError(f"package {package!r} holds {len(found)} weight files, expected one")
        weights = str(found[0])
    if weights.endswith(".safetensors"):
        return load_file(weights)
    tensors: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    return tensors


def load_renamed(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load weights by name or, where a port renamed every module, by order.

    By order means: after the classifier is left out, both sides list equally many tensors whose
    shapes and last name components (weight, bias, running_mean ...) agree one by one.

    Raises:
        ValueError: naming the first tensor that does not fit.
    """
    own = net.state_dict()
    if set(own) <= set(tensors):
        net.load_state_dict({name: tensors[name] for name in own})
        return
    theirs = list(tensors.items())[: len(own)]
    if len(theirs) < len(own):
        raise ValueError(f"the weights hold {len(theirs)} tensors, the encoder needs {len(own)}")
    renamed: dict[str, Tensor] = {}
    for (name, tensor), (wanted, target) in zip(theirs, own.items(), strict=True):
        same_role = name.rsplit(".", 1)[-1] == wanted.rsplit(".", 1)[-1]
        if not same_role or tensor.shape != target.shape:
            raise ValueError(
                f"tensor {name} {tuple(tensor.shape)} does not fit {wanted} {tuple(target.shape)}"
            )
        renamed[wanted] = tensor
    net.load_state_dict(renamed)
