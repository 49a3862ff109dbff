"""Parameters of a stage: how many there are, how many are trained, how many bytes on a rank."""

from dataclasses import dataclass

from torch import nn

from vilax.models.freeze import parts_of
from vilax.models.vlm import VisionLanguageModel


@dataclass(frozen=True)
class Counts:
    """Parameters of a model after its freeze policy.

    Attributes:
        parts: part to its parameters and those of them that are trained.
        weights: bytes of all weights on a rank, in fp32.
        gradients: bytes of gradients on a rank, in fp32.
        optimizer: bytes of AdamW's state on a rank: two moments, and a step count per tensor.
    """

    parts: dict[str, tuple[int, int]]
    weights: int
    gradients: int
    optimizer: int

    @property
    def result(self) -> int:
        """Bytes of a stage's result: the parts that it trains, whole, in fp32."""
        return 4 * sum(every for every, trained in self.parts.values() if trained)

    @property
    def resume(self) -> int:
        """Bytes of a resume checkpoint: what is trained and its optimizer's state.

        Of counts that are not sharded; shards of all ranks together are as large.
        """
        return self.gradients + self.optimizer


def count(model: VisionLanguageModel, shards: int = 1) -> Counts:
    """Count parameters; with ``shards`` each is cut along its first dimension, as FSDP2 does.

    A rank holds the larger part of what does not divide; figures are those of rank 0.
    """
    parts = {}
    for name, module in parts_of(model).items():
        every = sum(p.numel() for p in module.parameters())
        parts[name] = (every, sum(p.numel() for p in module.parameters() if p.requires_grad))
    own = [(share(p, shards), p.requires_grad) for p in model.parameters()]
    trained = [4 * n for n, is_trained in own if is_trained]
    return Counts(
        parts,
        weights=sum(4 * n for n, _ in own) + buffers(model),
        gradients=sum(trained),
        optimizer=2 * sum(trained) + 4 * len(trained),
    )


def share(parameter: nn.Parameter, shards: int) -> int:
    """Elements of a parameter on rank 0."""
    if shards == 1 or parameter.ndim == 0:
        return parameter.numel()
    rows = parameter.shape[0]
    return -(-rows // shards) * (parameter.numel() // max(1, rows))


def buffers(module: nn.Module) -> int:
    """Bytes of buffers, which are not sharded."""
    return sum(b.numel() * b.element_size() for b in module.buffers())
