"""FSDP2: one shard group per block of encoder, projector and LLM (fsdp.md)."""

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


def shard(model: VisionLanguageModel, mesh: DeviceMesh, bf16: bool, offload: bool = False) -> None:
    """Shard in place: blocks first, the root last; frozen parts too, which then get no gradient.

    Weights and gradients stay fp32; with ``bf16`` each group is cast for compute while it is
    gathered, and gradients are still reduced in fp32.

    Args:
        model: with ``requires_grad`` already set by the freeze policy.
        mesh: one dimension of devices that share the weights; of two dimensions the first
            repeats what the second shares.
        bf16: compute in bfloat16.
        offload: keep the shards, their gradients and hence the optimizer in host memory.
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
    for unit in units(model):
        fully_shard(unit, mesh=mesh, mp_policy=precision, offload_policy=place)


def units(model: VisionLanguageModel) -> list[nn.Module]:
    """Modules whose weights are gathered and freed together, inner ones first, the root last.

    A unit's own weights are those that no unit before it has.
    """
    found: list[nn.Module] = []
    if model.encoder is not None and model.projector is not None:
        found += [b for b in model.encoder.blocks() if any(True for _ in b.parameters())]
        found += [model.encoder, model.projector]
    return [*found, *model.llm.blocks(), model]
