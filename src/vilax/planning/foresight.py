"""What a run is told before it starts: stages that do not fit the devices that it will run on."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from vilax.artifacts.store import StaleSource
from vilax.config.schema.execution import Trainer
from vilax.config.schema.run import Run
from vilax.data.tiles import TokensPerImage
from vilax.planning.fixes import find_fixes
from vilax.planning.hardware import USABLE
from vilax.planning.plan import memory_planner
from vilax.planning.setting import setting_of
from vilax.planning.verdict import kinds, verdict
from vilax.planning.work import Mix
from vilax.training.recipe import find_stage, stages_of
from vilax.training.strategy import device_of, world_size

CONTAINER = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
"""Where Linux says what a container may take (cgroups version 2, version 1)."""
NARROW = 4096
"""Height of a picture one pixel wide, in pixels."""


def misfits(run: Run) -> Iterator[str]:
    """Of each stage that is to be trained and will not fit: figures, and what would make it fit.

    What is obviously small is not looked into: rows that hold nothing but pictures and supervised
    tokens are bounded first, then run on fake tensors, before any data are read.

    Raises:
        ConfigError: a part of the model cannot be built, or CUDA is asked for where there is none.
    """
    device = device_of(run.trainer)
    has_gpu = device.type == "cuda"
    size = gpu_memory(device) if has_gpu else host_memory(run.trainer)
    limit = int(size * USABLE)
    # On a CPU host memory is what there is, and more processes share it.
    fixed = ("gpus",) if has_gpu else ("gpus", "offload")
    for name in stages_of(run):
        setting = setting_of(run.trainer, run.stages[name], world_size(run.trainer))
        planner = memory_planner(run, name, fullest)
        if planner.at_most(setting) <= limit or planner.memory(setting).peak <= limit:
            continue
        if _is_stored(run, name):
            continue
        planner = memory_planner(run, name)
        memory = planner.memory(setting)
        if memory.peak <= limit:
            continue
        fixes = find_fixes(planner, setting, limit, fixed)
        what = "the GPU" if has_gpu else "host memory for each process"
        yield (
            f"stage {verdict(name, setting, memory, size, fixes)}\n"
            f"  on {what}: {kinds(memory)}; rows: {planner.mix.source}"
        )


def fullest(tokens_per_image: TokensPerImage) -> Mix:
    """Rows of pictures and supervised tokens at once: the most memory that rows can take.

    Of pictures in tiles the narrowest, of which least is left beside the whole picture.
    """
    if not isinstance(tokens_per_image, int):
        size = (1, NARROW)
        views = tokens_per_image.tiling.views(size)
        return Mix(1 / tokens_per_image(size), 1.0, 0.0, "", views)
    return Mix(1 / tokens_per_image if tokens_per_image else 0.0, 1.0, 0.0, "")


def _is_stored(run: Run, name: str) -> bool:
    try:
        return find_stage(run, name) is not None
    except StaleSource:
        # The run itself will say so.
        return True


def gpu_memory(device: torch.device) -> int:
    """Bytes of a GPU."""
    return int(torch.cuda.get_device_properties(device).total_memory)


def host_memory(trainer: Trainer) -> int:
    """Bytes of this machine's memory, or of its container's, for each process of a run."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in CONTAINER:
        file = Path(name)
        text = file.read_text(encoding="ascii").strip() if file.is_file() else ""
        if text.isdecimal():
            total = min(total, int(text))
    return total // (1 if trainer.strategy == "single" else trainer.devices)
