"""Making room in the store: what may go, without taking away what others were made from."""

import shutil
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from vilax.artifacts.store import ENTRY, GRAVE, Entry, Store

DAY = 86400.0


@dataclass(frozen=True)
class Plan:
    """What pruning would do.

    Attributes:
        remove: results to remove, those made from others first.
        spared: results asked for that stay, with the reason.
        leftovers: folders of unfinished work that serve no one.
        busy: what other processes are making now, in words.
    """

    remove: tuple[Entry, ...]
    spared: tuple[tuple[Entry, str], ...]
    leftovers: tuple[Path, ...]
    busy: tuple[str, ...]


def plan(
    store: Store,
    *,
    identities: Collection[str] = (),
    keep: Collection[str] = (),
    older_than: float | None = None,
    unreachable: bool = False,
    descendants: bool = False,
) -> Plan:
    """Decide what goes; removes nothing.

    A result from which another one that stays was made always stays.

    Args:
        store: the store.
        identities: full identities of results to remove.
        keep: full identities of results that stay whatever else is asked.
        older_than: days; older results go, and unfinished work untouched for so long.
        unreachable: results go that are neither evaluations, nor evaluated, nor ancestors of these.
        descendants: what was made from a removed result goes as well.
    """
    every = store.entries()
    kept = [entry for entry in every if entry.identity in keep]
    chosen = set(identities)
    if older_than is not None:
        limit = time.time() - older_than * DAY
        chosen |= {e.identity for e in every if float(e.meta["created"]) < limit}
    if unreachable:
        roots = [e for e in every if e.kind == "evaluation"] + kept
        reached = ancestors(store, roots) | {root.identity for root in roots}
        chosen |= {e.identity for e in every if e.identity not in reached}
    if descendants:
        chosen |= {e.identity for e in every if ancestors(store, [e]) & chosen}
    staying = [e for e in every if e.identity not in chosen or e.identity in keep]
    needed = ancestors(store, staying)
    remove: list[Entry] = []
    spared: list[tuple[Entry, str]] = []
    for entry in every:
        if entry.identity not in chosen:
            continue
        if entry.identity in keep:
            spared.append((entry, "it is to be kept"))
        elif entry.identity in needed:
            child = next(e for e in staying if entry.identity in ancestors(store, [e]))
            spared.append((entry, f"{child.label}, which stays, was made from it"))
        else:
            remove.append(entry)
    # A child is never older than its parent: going from the newest, none is left without it.
    return Plan(tuple(reversed(remove)), tuple(spared), *_work(store, older_than))


def ancestors(store: Store, entries: Iterable[Entry]) -> set[str]:
    """Identities from which any of these results was made, at any distance."""
    found: set[str] = set()
    for entry in entries:
        parent = store.parent(entry)
        while parent is not None and parent.identity not in found:
            found.add(parent.identity)
            parent = store.parent(parent)
    return found


def carry_out(store: Store, what: Plan) -> None:
    """Remove what a plan says."""
    for entry in what.remove:
        store.remove(entry)
    for folder in what.leftovers:
        if folder.name.startswith(GRAVE):
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with store.lock(folder.name).attempt() as is_mine:
            if is_mine:
                shutil.rmtree(folder, ignore_errors=True)


def _work(store: Store, older_than: float | None) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    leftovers: list[Path] = []
    busy: list[str] = []
    for folder in sorted((store.root / "work").glob("*")):
        if folder.name.startswith(GRAVE):
            leftovers.append(folder)
            continue
        lock = store.lock(folder.name)
        with lock.attempt() as is_idle:
            if not is_idle:
                busy.append(lock.holder())
            elif _is_done(store, folder) or _is_stale(folder, older_than):
                leftovers.append(folder)
    return tuple(leftovers), tuple(busy)


def _is_done(store: Store, folder: Path) -> bool:
    kind, _, identity = folder.name.partition("-")
    return (store.folder(kind, identity) / ENTRY).exists()


def _is_stale(folder: Path, days: float | None) -> bool:
    newest = max(path.lstat().st_mtime for path in [folder, *folder.rglob("*")])
    return days is not None and time.time() - newest > days * DAY
