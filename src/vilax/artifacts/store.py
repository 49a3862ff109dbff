"""The stage store: results by identity, each visible only when complete, made once."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vilax.artifacts.files import damaged, manifest, sync_folder, write_json
from vilax.artifacts.lock import WorkLock
from vilax.config.errors import ConfigError, unknown

ENTRY = "entry.json"


class StaleSource(ConfigError):
    """A stored result was made by other source code at equal component versions."""


@dataclass(frozen=True)
class Entry:
    """A published result.

    Attributes:
        kind: ``stage`` or ``evaluation``.
        identity: hash of ``inputs``.
        folder: where its files lie.
        inputs: everything that determined it.
        meta: name, parent, tokens, seconds, source hash and other facts about its making.
        files: manifest of its files.
    """

    kind: str
    identity: str
    folder: Path
    inputs: Mapping[str, Any]
    meta: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]

    def damaged(self) -> list[str]:
        """Files that are missing or no longer what was published."""
        return damaged(self.folder, {name: dict(facts) for name, facts in self.files.items()})

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(int(facts["bytes"]) for facts in self.files.values())


@dataclass
class Claim:
    """The exclusive right to make one result.

    Attributes:
        folder: private, survives a kill: resume checkpoints lie here.
        result: empty folder for what is to be published.
        entry: set where somebody else published the result in the meantime.
    """

    store: "Store"
    kind: str
    identity: str
    inputs: Mapping[str, Any]
    folder: Path
    result: Path
    entry: Entry | None = None
    _began: float = field(default_factory=time.time)

    def publish(self, meta: Mapping[str, Any]) -> Entry:
        """Make the result visible by one rename, and drop the private folder."""
        facts = {
            "kind": self.kind,
            "identity": self.identity,
            "inputs": dict(self.inputs),
            "meta": {"created": time.time(), "seconds": time.time() - self._began} | dict(meta),
            "files": manifest(self.result),
        }
        write_json(self.result / ENTRY, facts)
        for file in self.result.rglob("*"):
            if file.is_file():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
        target = self.store.folder(self.kind, self.identity)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            shutil.rmtree(target)
        self.result.rename(target)
        sync_folder(target.parent)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.entry = self.store.get(self.kind, self.identity)
        return self.entry


class Store:
    """Results under ``root/<kind>/<identity>``; unfinished work under ``root/work``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, kind: str, identity: str) -> Path:
        """Where a result lies once it is published."""
        return self.root / kind / identity

    def get(self, kind: str, identity: str) -> Entry:
        """A published result.

        Raises:
            ConfigError: the store has none of this identity.
        """
        folder = self.folder(kind, identity)
        try:
            facts = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise unknown(kind, identity, [e.identity for e in self.entries()]) from error
        return Entry(kind, identity, folder, facts["inputs"], facts["meta"], facts["files"])

    def find(
        self, kind: str, identity: str, sources: str | None = None, trust: str = "sources"
    ) -> Entry | None:
        """A published result that may be reused; None where there is none.

        Args:
            kind: ``stage`` or ``evaluation``.
            identity: the result's identity.
            sources: hash of the source code that would make it today.
            trust: ``sources`` refuses what other source code made; ``versions`` reuses it.

        Raises:
            StaleSource: made by other source code while all component versions are the same.
        """
        if not (self.folder(kind, identity) / ENTRY).exists():
            return None
        entry = self.get(kind, identity)
        made_by = entry.meta.get("sources")
        if sources is not None and made_by != sources and trust == "sources":
            raise StaleSource(
                f"the stored {kind} {entry.meta.get('name')} ({identity[:12]}) was made by other"
                f" source code ({made_by} then, {sources} now) at equal component versions:"
                " if results did not change, reuse it with store.trust=versions; if they did,"
                " raise the component's number in vilax/artifacts/identity.py; or remove it with"
                f" vilax store prune --identity {identity[:12]} --yes"
            )
        return entry

    @contextmanager
    def claim(self, kind: str, identity: str, inputs: Mapping[str, Any]) -> Iterator[Claim]:
        """Hold the right to make a result; waits while another process holds it."""
        work = self.root / "work" / f"{kind}-{identity}"
        with WorkLock(self.root / "locks" / f"{kind}-{identity}.lock"):
            result = work / "result"
            claim = Claim(self, kind, identity, inputs, work, result)
            if (self.folder(kind, identity) / ENTRY).exists():
                claim.entry = self.get(kind, identity)
            else:
                # What a killed process left here may be half-written; only checkpoints count.
                shutil.rmtree(result, ignore_errors=True)
                result.mkdir(parents=True)
            yield claim

    def entries(self) -> list[Entry]:
        """All published results, oldest first."""
        found = []
        for file in self.root.glob(f"*/*/{ENTRY}"):
            if file.parent.parent.name != "work":
                found.append(self.get(file.parent.parent.name, file.parent.name))
        return sorted(found, key=lambda entry: float(entry.meta["created"]))

    def resolve(self, prefix: str) -> Entry:
        """The one result whose identity begins with ``prefix``.

        Raises:
            ConfigError: there is none, or more than one.
        """
        every = self.entries()
        found = [entry for entry in every if entry.identity.startswith(prefix)]
        if len(found) != 1:
            if found:
                raise ConfigError(f"identity {prefix!r} fits {len(found)} results: give more of it")
            raise unknown("identity", prefix, [entry.identity[:12] for entry in every])
        return found[0]

    def parent(self, entry: Entry) -> Entry | None:
        """The stage that a result was made from, where the store still has it."""
        identity = entry.inputs.get("parent") or entry.inputs.get("stage_identity")
        if not identity or not (self.folder("stage", str(identity)) / ENTRY).exists():
            return None
        return self.get("stage", str(identity))

    def remove(self, entry: Entry) -> None:
        """Delete a result: first out of sight by a rename, then for good."""
        grave = self.root / "work" / f"removed-{entry.identity}"
        grave.parent.mkdir(parents=True, exist_ok=True)
        entry.folder.rename(grave)
        shutil.rmtree(grave)


def explain(store: Store, one: Entry, other: Entry) -> list[str]:
    """In words, which inputs make two results different, through their lineage.

    Args:
        store: where the parents of both are looked up.
        one: called A in the words.
        other: called B in the words.
    """
    lines = []
    for key, first, second in differences(one.inputs, other.inputs):
        if key != "parent":
            lines.append(f"{key}: {first} in A, {second} in B")
    parents = store.parent(one), store.parent(other)
    if one.inputs.get("parent") != other.inputs.get("parent"):
        if parents[0] is not None and parents[1] is not None:
            name = parents[0].meta.get("name")
            inner = explain(store, parents[0], parents[1])
            lines += [f"its parent {name} differs in {line}" for line in inner]
        else:
            lines.append(
                f"parent: {one.inputs.get('parent')} in A, {other.inputs.get('parent')} in B"
            )
    return lines


def differences(one: Any, other: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted key and both values wherever two JSON values differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            inner = f"{prefix}.{key}" if prefix else str(key)
            absent = "(absent)"
            yield from differences(one.get(key, absent), other.get(key, absent), inner)
    elif one != other:
        yield prefix, one, other
