"""How a stage would run: what may be changed without changing results."""

from dataclasses import dataclass
from typing import Literal

from vilax.config.schema.execution import Trainer
from vilax.config.schema.stage import Stage


@dataclass(frozen=True)
class Setting:
    """Execution keys of a stage that memory depends on.

    Attributes:
        rows: rows of a forward pass on a rank.
        per_rank: rows of a step on a rank.
        checkpointing: blocks are computed again in backward.
        strategy: one device, replicated, or sharded.
        gpus: devices.
        degree: devices that share one copy of the weights under fsdp; 0: all.
        offload: weights, gradients and optimizer state are in host memory.
        reduce_once: gradients are reduced after the last of a step's forward passes only.
    """

    rows: int
    per_rank: int
    checkpointing: bool
    strategy: Literal["single", "ddp", "fsdp"]
    gpus: int
    degree: int
    offload: bool
    reduce_once: bool

    @property
    def shards(self) -> int:
        """Ranks over which a copy of the weights is cut."""
        return (self.degree or self.gpus) if self.strategy == "fsdp" else 1

    @property
    def accumulates(self) -> bool:
        """Whether a step takes more than one forward pass."""
        return self.rows < self.per_rank


def setting_of(trainer: Trainer, stage: Stage, gpus: int) -> Setting:
    """The setting that a configuration asks for on so many devices."""
    per_rank = max(1, stage.batch // gpus)
    return Setting(
        rows=min(trainer.micro_rows or per_rank, per_rank),
        per_rank=per_rank,
        checkpointing=trainer.activation_checkpointing,
        strategy=trainer.strategy,
        gpus=gpus,
        degree=trainer.shard_degree,
        offload=trainer.offload,
        reduce_once=trainer.reduce_once,
    )


def words_between(now: Setting, then: Setting) -> str:
    """What to type to get from one setting to another."""
    words = []
    if then.strategy != now.strategy:
        words.append(f"trainer={then.strategy}")
    if then.checkpointing != now.checkpointing:
        words.append("trainer.activation_checkpointing=true")
    if then.rows != now.rows:
        words.append(f"trainer.micro_rows={then.rows}")
    if then.reduce_once != now.reduce_once:
        words.append("trainer.reduce_once=false")
    if then.degree != now.degree:
        words.append(f"trainer.shard_degree={then.degree}")
    if then.offload != now.offload:
        words.append("trainer.offload=true")
    if then.gpus != now.gpus:
        words.append(f"gpus={then.gpus}")
    return " ".join(words)
