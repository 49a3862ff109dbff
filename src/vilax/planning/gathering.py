"""Bytes beside the shards under FSDP2: weights that are gathered, gradients on their way."""

from torch import nn

from vilax.models.sharding import units
from vilax.models.vlm import VisionLanguageModel
from vilax.planning.counting import share
from vilax.planning.setting import Setting


def gathered_bytes(model: VisionLanguageModel, setting: Setting, bf16: bool) -> int:
    """The most that FSDP2 holds at one time beside shards of weights, gradients and optimizer.

    From forward to the end of backward the root's weights are whole (those in no block). While a
    block runs backward, its weights are whole and the next block's are gathered ahead; its gradient
    is whole, as is the head's, and that of the block before is being reduced, in fp32. At the end
    the root's gradient is whole, and then reduced, its weights gone (torch 2.14,
    ``torch.distributed.fsdp._fully_shard``; a test holds it against ``FSDPMemTracker``).
    """
    width = 2 if bf16 else 4
    shards = setting.shards
    *blocks, root = _groups(model)
    largest = max((_whole(block, shards) for block in blocks), default=0)
    gradients = [_whole(block, shards, trained=True) for block in blocks]
    reduced = max(gradients, default=0)
    whole, own = _whole(root, shards), _whole(root, shards, trained=True)
    head = _whole(list(model.llm.head.parameters()), shards, trained=True)
    # Shards come from the host where they are there, and are cast beside the whole.
    arriving = (width * bf16 + 4 * setting.offload) * largest // shards
    total = max(
        width * (whole + head + 2 * largest) + max(width * reduced, arriving) + 4 * reduced,
        width * (whole + own) + 4 * reduced,
        (width + 4) * own,
    )
    trained = sum(gradients) + own
    if setting.accumulates and setting.reduce_once:
        total += 4 * trained
    elif setting.accumulates:
        # The reduced gradient of a unit, before it is added; of all, before groups exchange them.
        waits = trained if shards < setting.gpus else max(reduced, own)
        total += 4 * waits // shards
    return total


def _groups(model: VisionLanguageModel) -> list[list[nn.Parameter]]:
    seen: set[int] = set()
    groups = []
    for unit in units(model):
        own = [p for p in unit.parameters() if id(p) not in seen]
        seen |= {id(p) for p in own}
        groups.append(own)
    return groups


def _whole(parameters: list[nn.Parameter], shards: int, trained: bool = False) -> int:
    """Elements of a group with the padding that makes its shards equal."""
    return sum(shards * share(p, shards) for p in parameters if p.requires_grad or not trained)
