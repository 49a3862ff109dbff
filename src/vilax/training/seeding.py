"""Seeds: one integer per purpose, derived so that purposes do not disturb each other."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A 31-bit seed for one purpose of a run, such as ``derive(0, "align", "data")``."""
    text = "/".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def seed_all(seed: int) -> None:
    """Seed Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def seeded(seed: int, *purpose: str | int) -> Iterator[None]:
    """Run a block under a derived torch seed and put the generator back afterwards."""
    state = torch.get_rng_state()
    torch.manual_seed(derive(seed, *purpose))
    try:
        yield
    finally:
        torch.set_rng_state(state)
