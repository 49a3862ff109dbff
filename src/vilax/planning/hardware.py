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
        bandwidth: bytes per second between memory and cores, by its data sheet.
    """

    memory: int
    flops: float
    price: float
    bandwidth: float


GIB = 2**30

GPUS = {
    "a100-40g": Gpu(40 * GIB, 312e12, 1.3, 1.555e12),
    "a100-80g": Gpu(80 * GIB, 312e12, 1.8, 2.039e12),
    "h100-80g": Gpu(80 * GIB, 989e12, 2.5, 3.35e12),
    "h200-141g": Gpu(131 * GIB, 989e12, 3.5, 4.8e12),
    "b200-180g": Gpu(167 * GIB, 2250e12, 5.0, 8.0e12),
    "l40s-48g": Gpu(44 * GIB, 362e12, 0.9, 0.864e12),
    "rtx4090-24g": Gpu(24 * GIB, 165e12, 0.4, 1.008e12),
}

USUAL = "h100-80g"
"""What is planned for unless another is named."""
USED = 0.4
"""Share of the data sheet's FLOPs that training is taken to reach unless another is given."""
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
