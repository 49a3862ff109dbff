"""Whether a stage fits, in words, and what would make it fit."""

from collections.abc import Sequence

from vilax.planning.fixes import Fix
from vilax.planning.memory import Memory
from vilax.planning.setting import Setting, words_between


def sized(count: float) -> str:
    """Bytes in the unit that leaves some digits."""
    if count >= 2**30 / 10:
        return f"{count / 2**30:,.2f} GiB"
    return f"{count / 2**20:,.1f} MiB"


def kinds(memory: Memory) -> str:
    """What the peak is made of, what there is none of left out."""
    found = {kind: size for kind, size in vars(memory).items() if kind not in ("peak", "host")}
    return ", ".join(f"{kind} {sized(size)}" for kind, size in found.items() if size)


def verdict(
    name: str, now: Setting, memory: Memory, device: int, fixes: Sequence[Fix] | None
) -> str:
    """Whether a stage fits, and the smallest changes that make it fit.

    Args:
        name: the stage.
        now: how it would run.
        memory: bytes on the fullest rank.
        device: bytes of a device.
        fixes: as ``find_fixes`` gives them; None: it fits.
    """
    size = f"{sized(memory.peak)} of {sized(device)}"
    if fixes is None:
        return f"{name}: fits, {size}"
    text = f"{name}: does NOT fit, {size}"
    if not fixes:
        return f"{text}; no change of rows, checkpointing, sharding or offloading makes it fit"
    ways = [f"{words_between(now, then)} ({sized(some.peak)})" for then, some in fixes]
    return f"{text}; fits with {', or with '.join(ways)}"
