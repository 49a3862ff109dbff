"""The smallest changes that make a stage fit, each tried on the fake device."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from vilax.planning.memory import Memory, MemoryPlanner
from vilax.planning.setting import Setting

Fix = tuple[Setting, Memory]

WIDER = (2, 4, 8, 16, 32)
"""Multiples of the devices that are tried where only host memory would do."""


def find_fixes(
    planner: MemoryPlanner, now: Setting, limit: int, fixed: Sequence[str] = ()
) -> tuple[Fix, ...]:
    """All ways to fit that change the fewest things.

    Where they all put weights into host memory, which is slow, more devices are tried as well.

    Args:
        planner: of the stage.
        now: what does not fit.
        limit: bytes that a device has.
        fixed: what cannot be changed: ``offload``, ``gpus``.
    """
    changes = [change for change in _changes(now) if change not in fixed]
    found: tuple[Fix, ...] = ()
    for number in range(1, len(changes) + 1):
        tried = (_tried(planner, now, chosen, limit) for chosen in combinations(changes, number))
        found = tuple(fix for fix in tried if fix is not None)
        if found:
            break
    if "gpus" not in fixed and all(setting.offload for setting, _ in found):
        found += _wider(planner, now, [one for one in changes if one != "offload"], limit)
    return found


def _wider(
    planner: MemoryPlanner, now: Setting, changes: Sequence[str], limit: int
) -> tuple[Fix, ...]:
    """The fewest devices on which it fits as it is, or with all other changes."""
    for factor in WIDER:
        gpus, per_rank = now.gpus * factor, max(1, now.per_rank // factor)
        for base in (now, _applied(now, changes)):
            if base.strategy == "fsdp" and not base.degree:
                rows = min(base.rows, per_rank)
                wider = replace(base, gpus=gpus, per_rank=per_rank, rows=rows)
                fits = _fitting(planner, wider, limit)
                if fits is not None:
                    return (fits,)
    return ()


def _changes(now: Setting) -> Iterator[str]:
    """What can be changed, the least costly first."""
    if now.rows > 1:
        yield "rows"
    if not now.checkpointing:
        yield "checkpointing"
    if now.reduce_once:
        yield "reduce"
    if now.strategy == "ddp" or now.shards < now.gpus:
        yield "degree"
    if not now.offload:
        yield "offload"


STEPS: dict[str, Callable[[Setting], Setting]] = {
    "rows": lambda s: replace(s, rows=1),
    "checkpointing": lambda s: replace(s, checkpointing=True),
    "reduce": lambda s: replace(s, reduce_once=False),
    "degree": lambda s: replace(s, strategy="fsdp", degree=0),
    "offload": lambda s: replace(s, strategy="fsdp", offload=True),
}
"""Each change at its strongest."""


def _applied(now: Setting, chosen: Sequence[str]) -> Setting:
    for change in chosen:
        now = STEPS[change](now)
    return now


def _tried(planner: MemoryPlanner, now: Setting, chosen: tuple[str, ...], limit: int) -> Fix | None:
    """The mildest form of the chosen changes that fits, where their strongest does."""
    fit = _fitting(planner, _applied(now, chosen), limit)
    if fit is None:
        return None
    if "degree" in chosen and now.strategy == "fsdp":
        fit = _fewest_shards(planner, now, fit, limit)
    if "rows" in chosen:
        fit = _most_rows(planner, now, fit, limit)
    return fit


def _fitting(planner: MemoryPlanner, setting: Setting, limit: int) -> Fix | None:
    memory = planner.memory(setting)
    return (setting, memory) if memory.peak <= limit else None


def _fewest_shards(planner: MemoryPlanner, now: Setting, fit: Fix, limit: int) -> Fix:
    for degree in range(max(2, now.shards + 1), fit[0].gpus):
        if fit[0].gpus % degree == 0:
            milder = _fitting(planner, replace(fit[0], degree=degree), limit)
            if milder is not None:
                return milder
    return fit


def _most_rows(planner: MemoryPlanner, now: Setting, fit: Fix, limit: int) -> Fix:
    """The largest power of two of rows that fits: memory is a line in the rows."""
    one, most_now = fit[1].peak, planner.memory(replace(fit[0], rows=now.rows)).peak
    most = 1 + (limit - one) * (now.rows - 1) / max(1, most_now - one)
    rows = 1
    while rows * 2 <= min(now.rows, most):
        rows *= 2
    while rows > 1:
        larger = _fitting(planner, replace(fit[0], rows=rows), limit)
        if larger is not None:
            return larger
        rows //= 2
    return fit
