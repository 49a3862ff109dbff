"""Which prompts are computed together: by length, or by the shots they begin with."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from vilax.data.prompt import IMAGE_TOKEN

FEWEST_SHARED = 16
"""First tokens in common that are worth a batch of their own, at least."""

EXTRA_BATCH = 512
"""What one more batch costs, in prompt tokens: its steps read all weights, however few its rows."""


@dataclass(frozen=True)
class Batch:
    """Prompts that are computed together.

    Attributes:
        indices: of the prompts, the longest first.
        shared: so many first tokens, with the pictures in them, are the same for all of them.
    """

    indices: tuple[int, ...]
    shared: int


def plan_batches(
    prompts: Sequence[Sequence[int]],
    pictures: Sequence[Sequence[tuple[bytes, int]]],
    groups: Sequence[Hashable],
    size: int,
    most_tokens: int | None = None,
) -> list[Batch]:
    """Put prompts into batches; the same arguments always give the same.

    Prompts of one group that begin alike share batches where that saves more tokens than the
    batches which are not full cost; all others are sorted by length. Long prompts come first, so
    that what does not fit into memory fails at once.

    Args:
        prompts: token ids of each prompt, ``IMAGE_TOKEN`` where a visual token stands.
        pictures: for each prompt what tells its pictures apart, in order, each with its number of
            visual tokens.
        groups: for each prompt what tells its shots apart.
        size: prompts in a batch, at most.
        most_tokens: tokens in a batch with padding, at most; a single prompt may have more. None:
            no bound.

    Returns:
        Batches which together hold each prompt once.
    """
    by_group: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        by_group.setdefault(group, []).append(index)
    found: list[Batch] = []
    rest: list[int] = []
    for members in by_group.values():
        batches = _cut(members, prompts, size, most_tokens)
        # Batches that would not be needed if others filled them up.
        extra = sum(
            1 - len(batch) / _room(len(prompts[batch[0]]), size, most_tokens) for batch in batches
        )
        alike = _shared(members, prompts, pictures)
        saved = (len(members) - len(batches)) * alike
        if alike < FEWEST_SHARED or saved < extra * EXTRA_BATCH:
            rest.extend(members)
            continue
        for batch in batches:
            if len(batch) == 1:
                rest.extend(batch)
            else:
                found.append(Batch(tuple(batch), _shared(batch, prompts, pictures)))
    found.extend(Batch(tuple(batch), 0) for batch in _cut(rest, prompts, size, most_tokens))
    return found


def _cut(
    indices: Sequence[int],
    prompts: Sequence[Sequence[int]],
    size: int,
    most_tokens: int | None,
) -> list[list[int]]:
    batches: list[list[int]] = []
    room = 0
    for index in sorted(indices, key=lambda one: (-len(prompts[one]), one)):
        if not batches or len(batches[-1]) == room:
            batches.append([])
            # The first is the longest, and the others are padded to it.
            room = _room(len(prompts[index]), size, most_tokens)
        batches[-1].append(index)
    return batches


def _room(longest: int, size: int, most_tokens: int | None) -> int:
    """Prompts that fit into a batch."""
    return size if most_tokens is None else max(1, min(size, most_tokens // longest))


def _shared(
    indices: Sequence[int],
    prompts: Sequence[Sequence[int]],
    pictures: Sequence[Sequence[tuple[bytes, int]]],
) -> int:
    """First tokens in common, the last picture among them whole, and one left for each prompt."""
    if len(indices) < 2:
        return 0
    some = [prompts[index] for index in indices]
    shown = [pictures[index] for index in indices]
    count = min(_common(some), min(len(one) for one in some) - 1)
    start = some[0][:count]
    visual = [at for at, token in enumerate(start) if token == IMAGE_TOKEN]
    if not visual:
        return count
    ends = list(accumulate(span for _, span in shown[0][: _common(shown)]))
    whole = max((end for end in ends if end <= len(visual)), default=0)
    return count if whole == len(visual) else visual[whole]


def _common(rows: Sequence[Sequence[Hashable]]) -> int:
    """Length of what all rows begin with."""
    return next(
        (at for at, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1),
        min(len(row) for row in rows),
    )
