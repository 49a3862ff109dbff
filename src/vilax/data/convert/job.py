"""A folder of pickled shards, converted side by side; a second start goes on where one ended."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vilax.artifacts.files import write_json, write_text
from vilax.artifacts.lock import WorkLock
from vilax.config.errors import ConfigError
from vilax.data.convert.pool import side_by_side
from vilax.data.convert.records import LAYOUTS, converter, layout_of
from vilax.data.convert.shard import Shard, convert_shard
from vilax.data.convert.unpickle import Broken, items

VERSION = 1
"""Raised when the same shard would be converted to other bytes."""

STATE = ".convert"
"""Folder, in the output, of what is known of each shard and of unfinished files."""

REPORT = "report"
"""Folder, in the output, of the summary and of what was left out; readers do not look there."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a conversion came to.

    Attributes:
        layout: of the records.
        shards: pickles.
        reused: of these, converted by an earlier start.
        documents: records that were converted.
        left_out: records and shards that were not, or of which a part is missing.
        refused: shards that asked for more than plain values.
        faults: lines of the quarantine.
    """

    layout: str
    shards: int
    reused: int
    documents: int
    left_out: int
    refused: int
    faults: list[dict[str, Any]]


def plan(source: Path, to: Path, layout: str = "auto", images: Path | None = None) -> list[Shard]:
    """The shards of a file or folder, in the order of their names.

    Raises:
        ConfigError: nothing is there, no shard holds a record of a known layout, or shards are of
            several layouts.
    """
    if layout != "auto":
        converter(layout)
    if not source.exists():
        raise ConfigError(f"SRC={source} does not exist; expected a .pkl file or a folder of them")
    if images is not None and not images.is_dir():
        raise ConfigError(f"--images={images} is no folder")
    found = sorted(source.rglob("*.pkl")) if source.is_dir() else [source]
    paths = [path for path in found if path.is_file()]
    if not paths:
        there = sorted({path.suffix or path.name for path in source.iterdir()})[:8]
        raise ConfigError(f"SRC={source} holds no .pkl file; found {', '.join(there) or 'nothing'}")
    inside = to.resolve()
    if source.is_dir() and (inside == source.resolve()):
        raise ConfigError(f"--to={to} is the folder of the shards; give another one")
    names: dict[str, Path] = {}
    for path in paths:
        relative = path.relative_to(source) if source.is_dir() else Path(path.name)
        name = "-".join(relative.with_suffix("").parts)
        if name in names:
            raise ConfigError(f"{path} and {names[name]} would be written under one name, {name}")
        names[name] = path
    told = _told(paths) if layout == "auto" else layout
    return [Shard(path, name, to, to / STATE, told, images) for name, path in names.items()]


def _told(paths: list[Path]) -> str:
    """The one layout of all shards, by their first records."""
    seen: dict[str, Path] = {}
    for path in paths:
        try:
            record = next(items(path, first_only=True), None)
        except Broken:
            continue
        layout = layout_of(record)
        if layout is not None:
            seen.setdefault(layout, path)
    if len(seen) > 1:
        listed = ", ".join(f"{path.name} is {layout}" for layout, path in seen.items())
        raise ConfigError(
            f"shards of several layouts: {listed}; convert each to a folder of its own"
        )
    return next(iter(seen), "")


def convert(
    shards: list[Shard], jobs: int = 1, watch: Callable[[int], None] = lambda done: None
) -> Summary:
    """Convert shards; those that are done, from the same sources, are left as they are.

    Args:
        shards: of one output folder.
        jobs: processes; 1: this one.
        watch: told, a few times a second, how many bytes of all sources are done.

    Raises:
        OSError: an output cannot be written.
    """
    to = shards[0].to
    (to / STATE).mkdir(parents=True, exist_ok=True)
    with WorkLock(to / STATE / "lock"):
        known = {shard.name: _known(shard) for shard in shards}
        open_shards = [shard for shard in shards if known[shard.name] is None]
        done = sum(s.source.stat().st_size for s in shards if known[s.name] is not None)
        watch(done)
        pieces = [(shard, shard.source.stat().st_size) for shard in open_shards]
        for shard, result in side_by_side(
            convert_shard, pieces, jobs, lambda more: watch(done + more)
        ):
            _remember(shard, result)
            known[shard.name] = result
        results = [known[shard.name] or {} for shard in shards]
        return _report(to, shards, results, len(shards) - len(open_shards))


def _identity(shard: Shard) -> dict[str, Any]:
    status = shard.source.stat()
    count = shard.source.with_suffix(".count")
    return {
        "version": VERSION,
        "source": shard.source.name,
        "bytes": status.st_size,
        "modified": status.st_mtime_ns,
        "count": count.stat().st_mtime_ns if count.exists() else None,
        "layout": shard.layout,
        "images": None if shard.images is None else str(shard.images.resolve()),
    }


def _state(shard: Shard) -> Path:
    return shard.scratch / f"{shard.name}.json"


def _known(shard: Shard) -> dict[str, Any] | None:
    """What an earlier start made of a shard, if that still stands."""
    try:
        entry = json.loads(_state(shard).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(entry, dict) or entry.get("of") != _identity(shard):
        return None
    result: dict[str, Any] = entry["result"]
    for name, facts in result["outputs"].items():
        file = shard.to / name
        if not file.is_file() or file.stat().st_size != facts["bytes"]:
            return None
    return result


def _remember(shard: Shard, result: dict[str, Any]) -> None:
    write_json(_state(shard), {"of": _identity(shard), "result": result})


def _report(to: Path, shards: list[Shard], results: list[dict[str, Any]], reused: int) -> Summary:
    faults = [line for result in results for line in result["faults"]]
    layouts = {result["layout"] for result in results if result["layout"]}
    summary = Summary(
        layout=", ".join(sorted(layouts)) or "unknown",
        shards=len(shards),
        reused=reused,
        documents=sum(result["documents"] for result in results),
        left_out=sum(result["left_out"] for result in results),
        refused=sum(line["reason"].startswith("refused") for line in faults),
        faults=faults,
    )
    lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in faults)
    write_text(to / REPORT / "quarantine.jsonl", "".join(lines))
    facts = {
        name: value for name, value in asdict(summary).items() if name not in ("faults", "reused")
    }
    written = {
        shard.source.name: {k: result[k] for k in ("documents", "left_out", "outputs")}
        for shard, result in zip(shards, results, strict=True)
    }
    write_json(
        to / REPORT / "convert.json", {**facts, "written": written, "layouts": list(LAYOUTS)}
    )
    return summary
