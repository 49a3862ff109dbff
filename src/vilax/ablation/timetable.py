"""When the nodes of a graph start, as the executor starts them on a machine of a given size."""

import heapq
from bisect import insort
from collections.abc import Mapping, Sequence

from vilax.ablation.graph import Node


def timetable(
    nodes: Sequence[Node],
    seconds: Mapping[str, float],
    wants: Mapping[str, int],
    threads: int | None,
    gpus: int,
) -> tuple[dict[str, float], float]:
    """Seconds at which nodes start, and at which the last one ends.

    As the executor does, the first in order that fits is started; a wide one is waited for, and
    what waits for a GPU lets nodes pass that want none.

    Args:
        nodes: to do, in the order in which they should start; needs outside of it count as done.
        seconds: key to what a node takes; one that is not in it takes no time.
        wants: key to the GPUs that a node takes.
        threads: CPU threads to use; None: as many as are wanted.
        gpus: GPUs to use; a node that wants more takes all.
    """
    place = {node.key: number for number, node in enumerate(nodes)}
    lacks = {node.key: sum(need in place for need in node.needs) for node in nodes}
    after: dict[str, list[int]] = {node.key: [] for node in nodes}
    for number, node in enumerate(nodes):
        for need in node.needs:
            if need in place:
                after[need].append(number)
    ready = [number for number, node in enumerate(nodes) if not lacks[node.key]]
    starts: dict[str, float] = {}
    running: list[tuple[float, int, int, int]] = []
    free, devices, now = threads, gpus, 0.0
    while ready or running:
        left = devices
        for number in list(ready):
            node = nodes[number]
            width = node.threads if threads is None else min(node.threads, threads)
            wanted = min(wants.get(node.key, 0), gpus)
            if free is not None and width > free:
                break
            if wanted > left:
                left = 0
                continue
            ready.remove(number)
            left -= wanted
            devices -= wanted
            free = None if free is None else free - width
            starts[node.key] = now
            heapq.heappush(running, (now + seconds.get(node.key, 0.0), number, width, wanted))
        now, number, width, wanted = heapq.heappop(running)
        devices += wanted
        free = None if free is None else free + width
        for other in after[nodes[number].key]:
            lacks[nodes[other].key] -= 1
            if not lacks[nodes[other].key]:
                insort(ready, other)
    return starts, now
