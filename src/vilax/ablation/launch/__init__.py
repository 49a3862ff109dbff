"""Launchers: where the nodes of a graph are done. Each is a pool that the executor fills."""

import os
from collections.abc import Mapping
from typing import Any

from vilax.ablation.executor import Pool, Room
from vilax.config.errors import ConfigError, unknown

LAUNCHERS = {
    "local": "processes of this machine, each with GPUs of its own",
    "joblib": "processes of this machine by joblib's loky",
    "submitit": "SLURM jobs that depend on each other; --slurm KEY=VALUE sets partition, time, ...",
    "ray": "tasks of the Ray cluster at RAY_ADDRESS, or of one started here",
}


def open_pool(
    name: str, jobs: int, devices: int | None, slurm: Mapping[str, Any]
) -> tuple[Pool, Room]:
    """A launcher by its name, and the room it has.

    Args:
        name: one of ``LAUNCHERS``.
        jobs: CPU threads to use on this machine.
        devices: GPUs of this machine to use; None: all that are visible.
        slurm: parameters of sbatch.

    Raises:
        ConfigError: there is no such launcher, it lacks its package, or settings do not fit it.
    """
    if name not in LAUNCHERS:
        raise unknown("launcher", name, LAUNCHERS)
    if slurm and name != "submitit":
        raise ConfigError(f"--slurm is for --launcher submitit, and the launcher is {name}")
    if devices is not None and name != "local":
        raise ConfigError(f"--gpus is for --launcher local, and the launcher is {name}")
    if name == "submitit":
        from vilax.ablation.launch.slurm import SubmititPool

        return SubmititPool(slurm), Room(None)
    if name == "ray":
        from vilax.ablation.launch.on_ray import RayPool

        return RayPool(jobs), Room(None)
    if name == "joblib":
        from vilax.ablation.launch.loky import JoblibPool

        return JoblibPool(jobs), Room(jobs)
    from vilax.ablation.launch.local import LocalPool

    return LocalPool(), Room(jobs, visible_devices(devices))


def visible_devices(wanted: int | None) -> tuple[str, ...]:
    """GPUs to give out, as ``CUDA_VISIBLE_DEVICES`` names them; without that, by number.

    Args:
        wanted: how many; None: all that are visible.

    Raises:
        ConfigError: fewer are visible than wanted.
    """
    text = os.environ.get("CUDA_VISIBLE_DEVICES")
    if text is not None:
        visible = tuple(word.strip() for word in text.split(",") if word.strip())
    elif wanted == 0:
        visible = ()
    else:
        import torch

        visible = tuple(str(number) for number in range(torch.cuda.device_count()))
    if wanted is not None and wanted > len(visible):
        raise ConfigError(f"--gpus {wanted}: this machine shows {len(visible)}")
    return visible if wanted is None else visible[:wanted]
