"""Freeze policies: which weights a stage trains, and proof that the others did not change."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from vilax.models.vlm import VisionLanguageModel

PARTS = ("encoder", "projector", "llm")


@dataclass(frozen=True)
class Adapter:
    """A low-rank adapter (LoRA): rank, scale numerator, dropout and target module names."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]


@dataclass(frozen=True)
class PartPlan:
    """What happens to one part: ``frozen``, ``trained``, or ``adapted`` by an adapter.

    Attributes:
        mode: what happens.
        rate: peak learning rate; read unless frozen.
        adapter: the adapter; read where adapted.
    """

    mode: Literal["frozen", "trained", "adapted"]
    rate: float
    adapter: Adapter | None = None


def parts_of(model: VisionLanguageModel) -> dict[str, nn.Module]:
    """The parts that the model has, by name, in the order of the data's way through them."""
    found = {name: getattr(model, name) for name in PARTS}
    return {name: module for name, module in found.items() if module is not None}


def apply_freeze(model: VisionLanguageModel, plan: Mapping[str, PartPlan]) -> None:
    """Set ``requires_grad`` part by part, add adapters, and put frozen parts in eval mode.

    Raises:
        ValueError: an adapter's targets match no module of its part, or nothing is trained.
    """
    for name, module in parts_of(model).items():
        part = plan[name]
        module.requires_grad_(part.mode == "trained")
        if part.mode == "adapted":
            _add_adapter(name, module, part.adapter)
        module.train(part.mode != "frozen")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("the freeze policy trains nothing: set one part to trained or adapted")


def _add_adapter(name: str, module: nn.Module, adapter: Adapter | None) -> None:
    if adapter is None:
        raise ValueError(f"part {name} is adapted but has no adapter settings")
    linear = [
        path
        for path, child in module.named_modules()
        if isinstance(child, nn.Linear) and not path.endswith("lm_head")
    ]
    targets = [
        path
        for path in linear
        if adapter.targets == ("all-linear",) or path.endswith(tuple(adapter.targets))
    ]
    if not targets:
        raise ValueError(
            f"freeze.{name}.lora.targets={list(adapter.targets)} match no linear layer;"
            f" it has for example {linear[:3]}"
        )
    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]
        lora_dropout=adapter.dropout,
        target_modules=targets,
        bias="none",
    )
    inject_adapter_in_model(config, module)


def merge_adapters(model: VisionLanguageModel) -> dict[str, Tensor]:
    """Fold every adapter into the weight it adapts and restore the plain modules.

    Returns:
        The adapters' own tensors, by name, as they were before.
    """
    adapters: dict[str, Tensor] = {
        name: p.detach().clone() for name, p in model.named_parameters() if ".lora_" in name
    }
    for module in list(model.modules()):
        for child_name, child in list(module.named_children()):
            if isinstance(child, LoraLayer):
                child.merge(safe_merge=True)
                setattr(module, child_name, child.get_base_layer())
    return adapters


def trained_parameters(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Parameters that take a gradient, with their names."""
    return ((name, p) for name, p in module.named_parameters() if p.requires_grad)


def fingerprint(module: nn.Module) -> str:
    """sha256 over names, dtypes, shapes and bytes of all frozen parameters and buffers.

    Bit-exact: equal before and after a stage if and only if nothing frozen changed. Sharded
    tensors are hashed shard by shard, so the value is meant for comparison within one process.
    """
    digest = hashlib.sha256()
    frozen = [(n, p.detach()) for n, p in module.named_parameters() if not p.requires_grad]
    trains = any(p.requires_grad for p in module.parameters())
    buffers = [] if trains else [(n, b) for n, b in module.named_buffers()]
    for name, tensor in [*frozen, *buffers]:
        local = tensor.to_local() if isinstance(tensor, DTensor) else tensor
        data = local.detach().cpu().contiguous()
        digest.update(f"{name} {data.dtype} {tuple(data.shape)}".encode())
        digest.update(data.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
