"""Freeze policies: which weights a stage trains, and proof that the others did not change."""

import fnmatch
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from vilax.models.llm import LanguageModel
from vilax.models.visual_expert import twins
from vilax.models.vlm import VisionLanguageModel

PARTS = ("encoder", "projector", "llm")


@dataclass(frozen=True)
class Adapter:
    """A low-rank adapter: rank, scale numerator, dropout, target module names, LoRA or DoRA."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]
    method: Literal["lora", "dora"] = "lora"


@dataclass(frozen=True)
class PartPlan:
    """What happens to one part: ``frozen``, ``trained``, ``adapted`` by an adapter, or ``expert``.

    Attributes:
        mode: what happens.
        rate: peak learning rate; read unless frozen.
        adapter: the adapter; read where adapted.
        only: which weights are trained, as ``select`` reads them; empty: all.
    """

    mode: Literal["frozen", "trained", "adapted", "expert"]
    rate: float
    adapter: Adapter | None = None
    only: tuple[str, ...] = ()


def parts_of(model: VisionLanguageModel) -> dict[str, nn.Module]:
    """The parts that the model has, by name, in the order of the data's way through them."""
    found = {name: getattr(model, name) for name in PARTS}
    return {name: module for name, module in found.items() if module is not None}


def apply_freeze(model: VisionLanguageModel, plan: Mapping[str, PartPlan]) -> None:
    """Set ``requires_grad`` part by part, add adapters and experts, put frozen parts in eval mode.

    Raises:
        ValueError: an adapter's targets match no module of its part, a pattern no weight of its
            part, an adapter is asked for beside visual experts, or nothing is trained.
    """
    for name, module in parts_of(model).items():
        part = plan[name]
        module.requires_grad_(part.mode == "trained" and not part.only)
        if part.mode == "trained" and part.only:
            try:
                wanted = select(module, part.only)
            except ValueError as error:
                raise ValueError(f"freeze.{name}.only: {error}") from error
            for parameter, tensor in module.named_parameters():
                tensor.requires_grad_(parameter in wanted)
        if part.mode == "adapted":
            _add_adapter(name, module, part.adapter)
        if part.mode == "expert":
            if not isinstance(module, LanguageModel):
                raise ValueError(f"freeze.{name}.mode=expert: expected it of the llm alone")
            module.add_experts()
            for twin in twins(module):
                twin.requires_grad_(True)
        module.train(part.mode != "frozen")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("the freeze policy trains nothing: set one part to trained or adapted")


def _add_adapter(name: str, module: nn.Module, adapter: Adapter | None) -> None:
    if adapter is None:
        raise ValueError(f"part {name} is adapted but has no adapter settings")
    if twins(module):
        # An adapter is folded into one weight; a layer with an expert has two.
        raise ValueError(
            f"freeze.{name}.mode=adapted: the {name} has visual experts, which take no adapter;"
            " expected expert, trained or frozen"
        )
    # torch's own MultiheadAttention reads the weights of its output layer past the layer itself.
    bypassed = (NonDynamicallyQuantizableLinear,)
    linear = [
        path
        for path, child in module.named_modules()
        if isinstance(child, nn.Linear | nn.Conv2d)
        and not isinstance(child, bypassed)
        and not path.endswith("lm_head")
        and (isinstance(child, nn.Linear) or adapter.targets != ("all-linear",))
    ]
    targets = [
        path
        for path in linear
        if adapter.targets == ("all-linear",) or path.endswith(tuple(adapter.targets))
    ]
    if not targets:
        layers = [p for p, m in module.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        raise ValueError(
            f"freeze.{name}.lora.targets={list(adapter.targets)} match no linear layer of the part:"
            " expected ends of names of its linear layers or convolutions, such as"
            f" {', '.join(layers[:3])}"
        )
    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]
        lora_dropout=adapter.dropout,
        target_modules=targets,
        bias="none",
        use_dora=adapter.method == "dora",
    )
    inject_adapter_in_model(config, module)


def select(module: nn.Module, patterns: Sequence[str]) -> set[str]:
    """Names of a part's parameters that any of the patterns means.

    Args:
        module: encoder, projector or LLM.
        patterns: ``layers[A:B]`` (a slice of the part's blocks, as Python's), ``norms``,
            ``embeddings``, ``head`` (of an LLM), or a shell pattern of parameter names.

    Raises:
        ValueError: a pattern means no parameter, naming some that there are.
    """
    names = {parameter: name for name, parameter in module.named_parameters()}
    found: set[str] = set()
    for pattern in patterns:
        meant = {names[p] for p in _meant(module, pattern, names) if p in names}
        if not meant:
            some = list(names.values())
            shown = ", ".join([*some[:2], *some[-1:]])
            raise ValueError(
                f"{pattern!r} means no weight: expected layers[A:B], norms, embeddings, head, or a"
                f" pattern of names such as {shown}"
            )
        found |= meant
    return found


def _meant(
    module: nn.Module, pattern: str, names: Mapping[nn.Parameter, str]
) -> list[nn.Parameter]:
    kinds: list[nn.Module]
    if pattern == "norms":
        kinds = [m for m in module.modules() if "norm" in type(m).__name__.lower()]
        return [p for m in kinds for p in m.parameters(recurse=False)]
    if pattern == "embeddings":
        kinds = [m for m in module.modules() if isinstance(m, nn.Embedding)]
        return [p for m in kinds for p in m.parameters(recurse=False)]
    if pattern == "head":
        head = getattr(module, "head", None)
        return list(head.parameters()) if isinstance(head, nn.Module) else []
    if sliced := re.fullmatch(r"layers\[(-?\d*):(-?\d*)\]", pattern):
        blocks = list(module.blocks()) if hasattr(module, "blocks") else []  # type: ignore[operator]
        first, last = (int(text) if text else None for text in sliced.groups())
        return [p for block in blocks[first:last] for p in block.parameters()]
    return [p for p, name in names.items() if fnmatch.fnmatchcase(name, pattern)]


def merge_adapters(model: VisionLanguageModel) -> dict[str, Tensor]:
    """Fold every adapter into the weight it adapts and restore the plain modules.

    Every rank must call it where weights are sharded.

    Returns:
        The adapters' own tensors, by name, whole, as they were before.
    """
    adapters: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            own = parameter.detach()
            adapters[name] = own.full_tensor() if isinstance(own, DTensor) else own.clone()
    was_training = {module: module.training for module in model.modules()}
    for module in list(model.modules()):
        for child_name, child in list(module.named_children()):
            if isinstance(child, LoraLayer):
                with _whole(child):
                    child.merge(safe_merge=True)
                setattr(module, child_name, child.get_base_layer())
    for module, training in was_training.items():
        module.training = training
    return adapters


@contextmanager
def _whole(layer: nn.Module) -> Iterator[None]:
    """A layer with whole weights in place of sharded ones; what the block makes of them goes to the
    shards. Peft changes ``weight.data``, which of a sharded weight changes nothing."""
    sharded = [
        (owner, name, own)
        for owner in layer.modules()
        for name, own in owner.named_parameters(recurse=False)
        if isinstance(own, DTensor)
    ]
    with torch.no_grad():
        for owner, name, own in sharded:
            setattr(owner, name, nn.Parameter(own.full_tensor(), requires_grad=False))
        yield
        for owner, name, own in sharded:
            made = getattr(owner, name).detach()
            setattr(owner, name, own)
            shard = distribute_tensor(made, own.device_mesh, own.placements, src_data_rank=None)
            own.to_local().copy_(shard.to_local())


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
