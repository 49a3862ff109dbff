"""Weights of a stage's result: one safetensors file per part that any stage so far has trained."""

import os
import shutil
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from vilax.artifacts.weights import load_weights, save_weights, tensor_names
from vilax.models.freeze import parts_of
from vilax.models.llm import LanguageModel
from vilax.models.visual_expert import TWIN
from vilax.models.vlm import VisionLanguageModel


def part_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a part, whole, on the CPU; a tied weight appears once.

    Every rank must call it where weights are sharded.
    """
    tensors: dict[str, Tensor] = {}
    persistent = set(module.state_dict().keys())
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if name in persistent:
            whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
            tensors[name] = whole.detach().to("cpu", copy=True).contiguous()
    return tensors


def load_parts(model: VisionLanguageModel, folder: Path) -> list[str]:
    """Load the parts that a stage's result holds; returns their names.

    A result with visual experts gives the model experts: what a result is, its tensors say.

    Raises:
        ValueError: a tensor is missing, superfluous or misshapen, naming it.
    """
    loaded = []
    for part, module in parts_of(model).items():
        file = folder / f"{part}.safetensors"
        if not file.exists():
            continue
        if isinstance(module, LanguageModel) and any(
            f".{TWIN}." in name for name in tensor_names(file)
        ):
            module.add_experts()
        own = {
            name: tensor
            for name, tensor in [*module.named_parameters(), *module.named_buffers()]
            if name in module.state_dict()
        }
        tensors = load_weights(file, {name: tuple(t.shape) for name, t in own.items()})
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(tensors[name])
        loaded.append(part)
    return loaded


def save_parts(
    tensors: dict[str, dict[str, Tensor]], parent: Path | None, folder: Path
) -> list[str]:
    """Write the parts that changed; link those that the parent has and this stage left alone.

    Args:
        tensors: part to its tensors, for parts that this stage trained.
        parent: folder of the parent's result.
        folder: where to write.

    Returns:
        Names of the parts in the result.
    """
    written = []
    for part in ("encoder", "projector", "llm"):
        target = folder / f"{part}.safetensors"
        if part in tensors:
            save_weights(tensors[part], target)
        elif parent is not None and (parent / target.name).exists():
            try:
                os.link(parent / target.name, target)
            except OSError:
                shutil.copyfile(parent / target.name, target)
        else:
            continue
        written.append(part)
    return written
