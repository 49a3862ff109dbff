"""Devices: one, DDP, or FSDP2 under Lightning; the same code on CUDA and on CPU with gloo."""

import logging
import os
import re
import warnings

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from vilax.config.errors import ConfigError
from vilax.config.schema.execution import Trainer
from vilax.models.sharding import shard
from vilax.models.vlm import VisionLanguageModel


def device_of(trainer: Trainer) -> torch.device:
    """The device that this process trains on.

    Raises:
        ConfigError: CUDA is asked for where there is none.
    """
    has_cuda = torch.cuda.is_available()
    if trainer.accelerator == "cuda" and not has_cuda:
        raise ConfigError("trainer.accelerator=cuda but this machine has none; use auto or cpu")
    if has_cuda and trainer.accelerator != "cpu":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def world_size(trainer: Trainer) -> int:
    """Processes that take part in a stage."""
    return trainer.devices * trainer.nodes if trainer.strategy != "single" else 1


def start_processes(trainer: Trainer) -> tuple[int, int]:
    """Join the process group that torchrun or SLURM launched; returns rank and world size.

    Raises:
        ConfigError: the launcher started another number of processes than configured.
    """
    expected = world_size(trainer)
    if expected == 1 and trainer.strategy != "fsdp":
        return 0, 1
    if not dist.is_initialized():
        launched = int(os.environ.get("WORLD_SIZE", "1"))
        if launched != expected:
            raise ConfigError(
                f"trainer.devices={trainer.devices} x trainer.nodes={trainer.nodes} asks for"
                f" {expected} processes, but {launched} were launched; start with"
                f" torchrun --nproc-per-node {trainer.devices} --nnodes {trainer.nodes}"
            )
        if "RANK" not in os.environ:
            os.environ |= {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
            os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
            os.environ.setdefault("MASTER_PORT", "0")
        device = device_of(trainer)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend)
    return dist.get_rank(), dist.get_world_size()


class Sharded(ModelParallelStrategy):
    """FSDP2 over all processes.

    Args:
        settings: devices, and whether weights stay in host memory.
    """

    def __init__(self, settings: Trainer) -> None:
        # Lightning's "auto" sizes mean tensor parallelism: both ranks would see the same data.
        super().__init__(data_parallel_size=world_size(settings), tensor_parallel_size=1)
        self.settings = settings

    def model_to_device(self) -> None:
        """Move what is not there yet; shards that are offloaded stay (buffers have been moved)."""
        if not self.settings.offload:
            super().model_to_device()


def shard_model(
    settings: Trainer, whole_encoder: bool, model: VisionLanguageModel, mesh: DeviceMesh
) -> None:
    """Shard a model over a mesh of one dimension, or over each ``shard_degree`` of its devices.

    Neighbours share: devices of one node where the degree is at most their number.

    Args:
        settings: degree, precision, whether weights stay in host memory.
        whole_encoder: the encoder is called apart from the model, and is not sharded.
        model: sharded in place.
        mesh: one dimension of devices.
    """
    degree = settings.shard_degree or mesh.size()
    if degree < mesh.size():
        sides = (mesh.size() // degree, degree)
        mesh = init_device_mesh(mesh.device_type, sides, mesh_dim_names=("replicate", "shard"))
    shard(model, mesh, settings.precision == "bf16", settings.offload, whole_encoder)


def build_trainer(settings: Trainer, callbacks: list[Callback]) -> L.Trainer:
    """Lightning's loop and nothing more: saving, logging and progress are ours."""
    # Lightning's own lines (devices found, tips) are not about the run.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Nor are its own call of a deprecated torch name, and its surprise at frozen parts.
    for module in ("utilities._pytree", "loops.fit_loop"):
        warnings.filterwarnings("ignore", module=rf"lightning\.pytorch\.{re.escape(module)}")
    strategy: Strategy | str = "auto"
    precision = "bf16-mixed" if settings.precision == "bf16" else "32-true"
    if settings.strategy == "ddp":
        strategy = DDPStrategy()
    elif settings.strategy == "fsdp":
        strategy = Sharded(settings)
        precision = "32-true"
    return L.Trainer(
        accelerator={"auto": "auto", "cpu": "cpu", "cuda": "cuda"}[settings.accelerator],
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=strategy,
        precision=precision,  # type: ignore[arg-type]
        max_epochs=1,
        logger=False,
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        barebones=False,
    )
