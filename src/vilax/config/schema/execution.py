"""Schema of what changes how a run executes but not what it computes."""

from typing import Literal

from vilax.config.schema.base import Node, execution


class Trainer(Node):
    """Devices and parallelism."""

    strategy: Literal["single", "ddp", "fsdp"] = execution("single")
    """One device, replicated (DDP), or sharded (FSDP2)."""
    accelerator: Literal["auto", "cpu", "cuda"] = execution("auto")
    """Kind of device; auto takes CUDA where present."""
    devices: int = execution(1, ge=1)
    """Devices on each node."""
    nodes: int = execution(1, ge=1)
    """Nodes."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Compute dtype; weights, gradients' reduction and optimizer state stay fp32."""
    micro_rows: int = execution(0, ge=0)
    """Rows per forward pass on a rank; 0: all of a step's rows at once."""
    activation_checkpointing: bool = execution(False)
    """Recompute block activations in backward."""
    shard_degree: int = execution(0, ge=0)
    """fsdp: devices that share one copy of weights and optimizer state, which the other groups of
    so many devices repeat; 0: all devices share one."""
    offload: bool = execution(False)
    """fsdp: keep weights, gradients and optimizer state in host memory."""
    reduce_once: bool = execution(False)
    """fsdp: reduce gradients once a step, not after each micro-batch: less to send, but each device
    holds whole gradients meanwhile."""
    workers: int = execution(0, ge=0)
    """Processes on each rank that read, decode and pack; 0: the training process does."""
    checkpoint_seconds: float = execution(120.0, gt=0)
    """Seconds between resume checkpoints inside a stage."""
    log_steps: int = execution(10, ge=1)
    """Optimizer steps between two lines of metrics.jsonl."""


class Logger(Node):
    """Dashboards."""

    wandb: Literal["offline", "online", "disabled"] = execution("offline")
    """offline needs no account; online uses WANDB_API_KEY from the environment."""
    project: str = execution("vilax")
    """wandb project."""
    tensorboard: bool = execution(False)
    """Also TensorBoard's events, under outputs/tensorboard."""
    csv: bool = execution(False)
    """Also CSV files, under outputs/csv."""


class Store(Node):
    """The stage store."""

    trust: Literal["sources", "versions"] = execution("sources")
    """sources: reuse only what the same source code made; versions: trust version numbers."""


class Features(Node):
    """Cache of a frozen encoder's features."""

    cache: bool = execution(False)
    """Keep features on disk under the hash of picture and encoder."""
