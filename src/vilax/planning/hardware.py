"""Accelerators by name: memory, speed of bf16 matrix products, a price to start from."""

from dataclasses import dataclass

from vilax.config.errors import unknown


@dataclass(frozen=True)
class Gpu:
    """An accelerator.

    Attributes:
        memory: bytes.
        flops: dense bf16 operations per second, by its data sheet.
        price: US dollars per hour, a round figure of rental offers; ``price=`` sets another.
    """

    memory: int
    flops: float
    price: float


GIB = 2**30

GPUS = {
    "a100-40g": Gpu(40 * GIB, 312e12, 1.3),
    "a100-80g": Gpu(80 * GIB, 312e12, 1.8),
    "h100-80g": Gpu(80 * GIB, 989e12, 2.5),
    "h200-141g": Gpu(131 * GIB, 989e12, 3.5),
    "b200-180g": Gpu(167 * GIB, 2250e12, 5.0),
    "l40s-48g": Gpu(44 * GIB, 362e12, 0.9),
    "rtx4090-24g": Gpu(24 * GIB, 165e12, 0.4),
}

USABLE = 0.94
"""Share of the memory that is left after context, communication buffers and fragmentation."""


def find_gpu(name: str) -> Gpu:
    """The accelerator of a name.

    Raises:
        ConfigError: there is none, naming the nearest.
    """
    if name not in GPUS:
        raise unknown("gpu", name, GPUS)
    return GPUS[name]
