"""What the stage store saves: seconds of all arms apart against seconds of what is distinct."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from vilax.ablation.collect import Collected
from vilax.ablation.progress import clock


@dataclass(frozen=True)
class Savings:
    """Results of arms and seeds, whenever they were made.

    Attributes:
        wanted: stages and evaluations of every arm at every seed.
        distinct: different ones among them.
        apart: seconds if each arm and seed made all of its own: without the store.
        shared: seconds of the distinct ones: with it.
    """

    wanted: int
    distinct: int
    apart: float
    shared: float


def savings(collected: Sequence[Collected], without: Collection[str] = ()) -> Savings:
    """What sharing saved over comparisons together.

    Args:
        collected: comparisons, as far as they were done.
        without: names of stages to leave out, such as that of a base LLM which a peer would not
            train either.
    """
    return total(
        (f"{entry.kind}:{entry.identity}", float(entry.meta.get("seconds", 0.0)))
        for one in collected
        for (_, _, stage), entry in one.results.items()
        if stage not in without
    )


def total(results: Iterable[tuple[str, float]]) -> Savings:
    """What sharing saved over results of arms and seeds: kind with identity, and seconds each."""
    seconds: dict[str, float] = {}
    wanted, apart = 0, 0.0
    for identity, took in results:
        wanted += 1
        apart += took
        seconds[identity] = took
    return Savings(wanted, len(seconds), apart, sum(seconds.values()))


def sentences(collected: Sequence[Collected]) -> list[str]:
    """The savings in words, with and without the base LLM's stage; none where none is shared."""
    bases = {one.resolved.comparison.control_stage for one in collected} - {""}
    return in_words(savings(collected), savings(collected, bases), bases)


def in_words(every: Savings, without: Savings, bases: Collection[str]) -> list[str]:
    """Savings in words; none where nothing is shared.

    Args:
        every: of all stages and evaluations.
        without: with the stages of base LLMs left out.
        bases: names of these stages; empty: there are none.
    """
    if every.distinct == every.wanted:
        return []
    lines = [f"{_sentence(every)} ({every.distinct} results in place of {every.wanted})"]
    if bases:
        lines.append(f"stage {', '.join(sorted(bases))} left out: {_sentence(without)}")
    return lines


def _sentence(saved: Savings) -> str:
    share = saved.shared / saved.apart if saved.apart else 1.0
    return (
        f"{clock(saved.shared)} of work with the store, {clock(saved.apart)} without it:"
        f" {100 * share:.0f} %"
    )
