"""FSDP2: one shard group per block of encoder, projector and LLM (fsdp.md)."""

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from vilax.models.vlm import VisionLanguageModel


def shard(model: VisionLanguageModel, mesh: DeviceMesh, bf16: bool) -> None:
    """Shard in place: blocks first, the root last; frozen parts too, which then get no gradient.

    Weights and gradients stay fp32; with ``bf16`` each group is cast for compute while it is
    gathered, and gradients are still reduced in fp32.

    Args:
        model: with ``requires_grad`` already set by the freeze policy.
        mesh: one-dimensional data-parallel mesh.
        bf16: compute in bfloat16.
    """
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if bf16 else None,
        reduce_dtype=torch.float32 if bf16 else None,
        cast_forward_inputs=True,
    )
    if model.encoder is not None and model.projector is not None:
        for block in model.encoder.blocks():
            if any(True for _ in block.parameters()):
                fully_shard(block, mesh=mesh, mp_policy=policy)
        fully_shard(model.encoder, mesh=mesh, mp_policy=policy)
        fully_shard(model.projector, mesh=mesh, mp_policy=policy)
    for block in model.llm.blocks():
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
