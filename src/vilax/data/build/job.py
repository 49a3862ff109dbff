"""Shards out of any corpus: the same input gives the same bytes, and a stopped build goes on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from vilax.artifacts.files import write_json, write_text
from vilax.artifacts.lock import WorkLock
from vilax.config.errors import ConfigError
from vilax.data.build.layouts import files_of
from vilax.data.build.plan import Plan, Source, derived
from vilax.data.convert.archive import Output, discarded_on_failure
from vilax.data.convert.pool import side_by_side
from vilax.data.formats.coyo import CoyoReader
from vilax.data.formats.documents import DocumentsReader
from vilax.data.formats.files import BadSample, Reader

STATE = ".build"
REPORT = "report"
INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to: shards, of these done before, documents, left out, and lines of the
    quarantine."""

    shards: int
    reused: int
    documents: int
    left_out: int
    bytes: int
    faults: list[dict[str, Any]]


def build(
    plan: Plan,
    jobs: int = 1,
    overwrite: bool = False,
    watch: Callable[[int], None] = lambda done: None,
) -> Built:
    """Write the shards that are not there yet, then the index and the report.

    Args:
        plan: what is written where.
        jobs: processes; 1: this one.
        overwrite: a build of other content or settings in the folder is removed first.
        watch: told how many documents of the source are done.

    Raises:
        ConfigError: the folder holds another build.
        OSError: it cannot be written.
    """
    (plan.to / STATE).mkdir(parents=True, exist_ok=True)
    with WorkLock(plan.to / STATE / "lock"):
        _settle(plan, overwrite)
        known = {number: _known(plan, number) for number in range(plan.shards)}
        sizes = {n: min(plan.per_shard, plan.documents - n * plan.per_shard) for n in known}
        ready = sum(sizes[n] for n, result in known.items() if result is not None)
        reused = sum(result is not None for result in known.values())
        watch(ready)
        pieces = [((plan, n), sizes[n]) for n, result in known.items() if result is None]
        for (_, number), result in side_by_side(
            write_shard, pieces, jobs, lambda more: watch(ready + more)
        ):
            write_json(_state(plan, number), result)
            known[number] = result
        results = [known[number] or {} for number in range(plan.shards)]
        return _report(plan, results, reused)


def _settle(plan: Plan, overwrite: bool) -> None:
    """Make the folder this plan's own."""
    note = plan.to / STATE / "plan.json"
    told = {
        "identity": plan.identity,
        "layout": plan.layout,
        "documents": plan.documents,
        "per_shard": plan.per_shard,
        "seed": plan.seed,
    }
    foreign = sorted(path.name for path in plan.to.glob("*.tar"))
    try:
        held = json.loads(note.read_text("utf-8"))
    except (OSError, ValueError):
        held = None
    if held is not None and held["identity"] == plan.identity:
        return
    if held is None and foreign:
        raise ConfigError(f"--to={plan.to} holds {foreign[0]}, which no build here wrote")
    if held is not None:
        changed = [
            f"{name} {held[name]} became {told[name]}"
            for name in ("layout", "documents", "per_shard", "seed")
            if held.get(name) != told[name]
        ]
        if not overwrite:
            raise ConfigError(
                f"--to={plan.to} holds a build of other content or settings"
                f" ({'; '.join(changed) or 'the source has changed'}); expected another folder,"
                " or --overwrite"
            )
        for name in foreign:
            (plan.to / name).unlink()
        for path in (plan.to / STATE).glob("[0-9]*"):
            path.unlink()
    write_json(note, told)


def _state(plan: Plan, number: int) -> Path:
    return plan.to / STATE / f"{number:06d}.json"


def _known(plan: Plan, number: int) -> dict[str, Any] | None:
    """What an earlier start made of a shard, if it still stands."""
    try:
        result: dict[str, Any] = json.loads(_state(plan, number).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if result["documents"]:
        file = plan.to / plan.name(number)
        if not file.is_file() or file.stat().st_size != result["bytes"]:
            return None
    return result


@lru_cache(2)
def _opened(source: Source) -> Reader:
    return source.open()


@lru_cache(2)
def _order(documents: int, seed: int | None) -> Int64[np.ndarray, " documents"]:
    if seed is None:
        return np.arange(documents)
    return np.random.default_rng(seed).permutation(documents)


def write_shard(piece: tuple[Plan, int], watch: Callable[[int], None]) -> dict[str, Any]:
    """Write one shard of a plan; visible when whole.

    Args:
        piece: the plan, and the number of the shard.
        watch: told how many documents are done.

    Returns:
        ``documents``, ``bytes``, ``sha256`` and ``faults``.

    Raises:
        OSError: it cannot be written.
    """
    plan, number = piece
    reader = _opened(plan.source)
    order = _order(plan.documents, plan.seed)
    some = order[number * plan.per_shard : (number + 1) * plan.per_shard].tolist()
    output = Output(plan.to / plan.name(number), plan.to / STATE)
    faults: list[dict[str, Any]] = []
    written = 0
    digits = max(9, len(str(plan.documents)))
    with discarded_on_failure(output):
        for done, index in enumerate(some, 1):
            try:
                documents = derived(reader, index, plan.source.derive)
                if not documents:
                    raise BadSample(reader.key(index), "nothing is left of it")
                facts = reader.facts(index)
                name = f"{index:0{digits}d}"
                names = [name] if len(documents) == 1 else _numbered(name, len(documents))
                files = [
                    file
                    for own, document in zip(names, documents, strict=True)
                    for file in files_of(plan.layout, own, document, facts)
                ]
            except BadSample as error:
                faults.append(_line(plan, reader, index, error.key, error.reason, False))
            else:
                for note in documents[0].notes:
                    faults.append(_line(plan, reader, index, reader.key(index), note, True))
                for name, data in files:
                    output.add(name, data)
                written += len(documents)
            watch(done)
        if not written:
            output.discard()
            output.path.unlink(missing_ok=True)
            return {"documents": 0, "bytes": 0, "sha256": "", "faults": faults}
        output.end_tar()
        return {"documents": written, **output.finish(), "faults": faults}


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}_{number:03d}" for number in range(1, count + 1)]


def _line(
    plan: Plan, reader: Reader, index: int, key: str, reason: str, kept: bool
) -> dict[str, Any]:
    corpus, shard = Path(plan.source.path).name, reader.shard(index)
    return {"corpus": corpus, "shard": shard, "key": key, "reason": reason, "kept": kept}


def _report(plan: Plan, results: list[dict[str, Any]], reused: int) -> Built:
    faults = [line for result in results for line in result["faults"]]
    left_out = sum(not line["kept"] for line in faults)
    shards = [
        {
            "url": plan.name(number),
            "nsamples": result["documents"],
            "bytes": result["bytes"],
            "sha256": result["sha256"],
        }
        for number, result in enumerate(results)
        if result["documents"]
    ]
    total = sum(result["documents"] for result in results)
    index = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "name": Path(plan.source.path).name,
        "layout": plan.layout,
        "nsamples": total,
        "seed": plan.seed,
        "shardlist": shards,
    }
    lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in faults)
    write_text(plan.to / REPORT / "quarantine.jsonl", "".join(lines))
    write_json(plan.to / INDEX, index)
    # Readers look shards through once and keep what they find: better now than at the first start.
    _reader(plan, [plan.to / shard["url"] for shard in shards])
    return Built(plan.shards, reused, total, left_out, sum(s["bytes"] for s in shards), faults)


def _reader(plan: Plan, files: list[Path]) -> Reader:
    kind = CoyoReader if plan.layout == "pairs" else DocumentsReader
    return kind(plan.to.name, files)
