"""AdamW with a learning rate per part, scheduled by the share of the budget that is used."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from vilax.config.schema.stage import Optimizer, Schedule
from vilax.models.freeze import PartPlan, parts_of, trained_parameters
from vilax.models.vlm import VisionLanguageModel


def build_optimizer(
    model: VisionLanguageModel, plan: dict[str, PartPlan], settings: Optimizer
) -> torch.optim.AdamW:
    """AdamW over what is trained and nothing else; matrices decay, vectors do not.

    Each parameter group carries ``part`` and ``peak``, the part's peak learning rate.
    """
    groups = []
    for part, module in parts_of(model).items():
        matrices = [p for _, p in trained_parameters(module) if p.ndim >= 2]
        vectors = [p for _, p in trained_parameters(module) if p.ndim < 2]
        for params, decay in ((matrices, settings.weight_decay), (vectors, 0.0)):
            if params:
                rate = plan[part].rate
                groups.append(
                    {"params": params, "lr": rate, "weight_decay": decay, "part": part}
                    | {"peak": rate}
                )
    return torch.optim.AdamW(
        groups, betas=(settings.beta1, settings.beta2), eps=settings.epsilon, foreach=True
    )


def rate_factor(schedule: Schedule, share: float) -> float:
    """Share of the peak learning rate at a share of the budget, both in 0..1.

    Linear warm-up from 0, then cosine, linear or constant down to ``schedule.floor``.
    """
    if schedule.warmup and share < schedule.warmup:
        return share / schedule.warmup
    if schedule.kind == "constant":
        return 1.0
    left = min(1.0, (share - schedule.warmup) / (1.0 - schedule.warmup))
    shape = 0.5 * (1.0 + math.cos(math.pi * left)) if schedule.kind == "cosine" else 1.0 - left
    return schedule.floor + (1.0 - schedule.floor) * shape


def set_rates(optimizer: torch.optim.Optimizer, schedule: Schedule, share: float) -> None:
    """Give each group its peak rate times the schedule's factor at this share of the budget."""
    factor = rate_factor(schedule, share)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


def clip_gradients(parameters: Iterable[nn.Parameter], largest: float) -> float:
    """Scale gradients so that their joint norm is at most ``largest``; returns the norm before.

    Works on sharded tensors; every rank must call it.
    """
    norm: Tensor = nn.utils.clip_grad_norm_(list(parameters), largest)
    if isinstance(norm, DTensor):
        norm = norm.full_tensor()
    return float(norm)


def gradient_norms(model: VisionLanguageModel) -> dict[str, float]:
    """Norm of the gradient of each part that has one, before clipping; every rank must call it."""
    norms = {}
    for part, module in parts_of(model).items():
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        if gradients:
            norm = nn.utils.get_total_norm(gradients)
            norms[part] = float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
    return norms
