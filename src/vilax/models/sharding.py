"""FSDP2: one shard group per block of encoder, projector and LLM (fsdp.md)."""

import warnings

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
)

from vilax.models.vlm import VisionLanguageModel


def shard(
    model: VisionLanguageModel,
    mesh: DeviceMesh,
    bf16: bool,
    offload: bool = False,
    whole_encoder: bool = False,
) -> None:
    """Shard in place: blocks first, the root last; frozen parts too, which then get no gradient.

    Weights and gradients stay fp32; with ``bf16`` each group is cast for compute while it is
    gathered, and gradients are still reduced in fp32.

    Args:
        model: with ``requires_grad`` already set by the freeze policy.
        mesh: one dimension of devices that share the weights; of two dimensions the first
            repeats what the second shares.
        bf16: compute in bfloat16.
        offload: keep the shards, their gradients and hence the optimizer in host memory.
        whole_encoder: leave the encoder whole on every device, in fp32. Where features are cached
            it is called by itself, by each process as often as it meets new pictures; gathering it
            would wait for the others.
    """
    precision = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if bf16 else None,
        reduce_dtype=torch.float32 if bf16 else None,
        cast_forward_inputs=True,
    )
    place = OffloadPolicy()
    if offload:
        # Pinned memory is CUDA's; on a CPU there is nothing to copy to.
        place = CPUOffloadPolicy(pin_memory=mesh.device_type == "cuda")
    # Nothing here is changed in place, what a unit returns least of all.
    warnings.filterwarnings("ignore", r"FSDP2-wrapped module .* returned a view tensor")
    apart = set(model.encoder.parameters()) if whole_encoder and model.encoder else set()
    for unit in units(model, whole_encoder):
        fully_shard(
            unit, mesh=mesh, mp_policy=precision, offload_policy=place, ignored_params=apart
        )


def units(model: VisionLanguageModel, whole_encoder: bool = False) -> list[nn.Module]:
    """Modules whose weights are gathered and freed together, inner ones first, the root last.

    A unit's own weights are those that no unit before it has, but for a whole encoder's.
    """
    found: list[nn.Module] = []
    if model.encoder is not None and model.projector is not None:
        if not whole_encoder:
            found += [b for b in model.encoder.blocks() if any(True for _ in b.parameters())]
            found.append(model.encoder)
        found.append(model.projector)
    return [*found, *model.llm.blocks(), model]
