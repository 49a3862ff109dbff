"""The stage store: results by identity, each visible only when complete, made once."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vilax.artifacts.files import damaged, manifest, sync_folder, sync_tree, write_json
from vilax.artifacts.identity import SourceHash
from vilax.artifacts.lock import WorkLock
from vilax.config.errors import ConfigError, unknown

ENTRY = "entry.json"
GRAVE = "removed-"


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
        meta: name, tokens, seconds, source hash and other facts about its making.
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
    def parent(self) -> str | None:
        """Identity of the stage that it was made from, if any."""
        found = self.inputs.get("parent") or self.inputs.get("stage_identity")
        return None if found is None else str(found)

    @property
    def label(self) -> str:
        """Kind, name and the first digits of its identity."""
        return f"{self.kind} {self.meta.get('name')} {self.identity[:12]}"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(int(facts["bytes"]) for facts in self.files.values())


def read_entry(folder: Path) -> Entry:
    """A result by its folder.

    Raises:
        ConfigError: the folder holds none.
    """
    try:
        facts = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
        return Entry(
            facts["kind"], facts["identity"], folder, facts["inputs"], facts["meta"], facts["files"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder} holds no result of a stage: expected a folder with {ENTRY}, as"
            f" vilax store show prints it, or a model that vilax import made ({error})"
        ) from error


@dataclass
class Claim:
    """The exclusive right to make one result.

    Attributes:
        folder: private, survives a kill: resume checkpoints lie here.
        result: empty folder for what is to be published.
        entry: set once the result is published, by this process or by another one meanwhile.
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
        """Make what lies in ``result`` visible by one rename, and drop the private folder.

        Where somebody else has published this identity already, theirs stays and is returned.

        Args:
            meta: name, tokens, ``sources`` (from ``sources_hash``) and other facts.
        """
        if self.entry is not None:
            return self.entry
        made = {"created": time.time(), "seconds": time.time() - self._began} | dict(meta)
        if isinstance(made.get("sources"), SourceHash):
            made["source_modules"] = dict(made["sources"].modules)
        facts = {
            "kind": self.kind,
            "identity": self.identity,
            "inputs": dict(self.inputs),
            "meta": made,
            "files": manifest(self.result),
        }
        write_json(self.result / ENTRY, facts)
        sync_tree(self.result)
        target = self.store.folder(self.kind, self.identity)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            self.store.bury(target)
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

    def work(self, kind: str, identity: str) -> Path:
        """The private folder of whoever makes a result; it survives a kill."""
        return self.root / "work" / f"{kind}-{identity}"

    def get(self, kind: str, identity: str) -> Entry:
        """A published result.

        Raises:
            ConfigError: the store has none of this identity, or its record cannot be read.
        """
        folder = self.folder(kind, identity)
        try:
            facts = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
            return Entry(kind, identity, folder, facts["inputs"], facts["meta"], facts["files"])
        except FileNotFoundError as error:
            raise unknown(kind, identity, [e.identity for e in self.entries()]) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{folder / ENTRY} is damaged: remove the folder {folder} to make it again"
            ) from error

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
            where = changed_modules(entry.meta.get("source_modules"), sources)
            raise StaleSource(
                f"the stored {kind} {entry.meta.get('name')} ({identity[:12]}) was made by other"
                f" source code{' of ' + ', '.join(where) if where else ''} at equal component"
                " versions: if results did not change, reuse it with store.trust=versions; if they"
                " did, raise the component's number in vilax/artifacts/identity.py; or remove it"
                " and all that was made from it with"
                f" vilax store prune --identity {identity[:12]} --descendants --yes"
            )
        return entry

    @contextmanager
    def claim(self, kind: str, identity: str, inputs: Mapping[str, Any]) -> Iterator[Claim]:
        """Hold the right to make a result; waits while another process holds it."""
        work = self.work(kind, identity)
        with self.lock(work.name):
            result = work / "result"
            claim = Claim(self, kind, identity, inputs, work, result)
            if (self.folder(kind, identity) / ENTRY).exists():
                claim.entry = self.get(kind, identity)
            # What a killed process left here may be half-written; only checkpoints count.
            shutil.rmtree(result, ignore_errors=True)
            result.mkdir(parents=True)
            try:
                yield claim
            finally:
                if claim.entry is not None:
                    shutil.rmtree(work, ignore_errors=True)

    def lock(self, name: str) -> WorkLock:
        """The lock of a folder of ``root/work``."""
        return WorkLock(self.root / "locks" / f"{name}.lock")

    def entries(self) -> list[Entry]:
        """All published results, oldest first."""
        found = []
        for file in self.root.glob(f"*/*/{ENTRY}"):
            kind, identity = file.parent.parent.name, file.parent.name
            # One that another process has just removed is none.
            if kind != "work" and file.exists():
                found.append(self.get(kind, identity))
        return sorted(found, key=lambda entry: float(entry.meta["created"]))

    def resolve(self, prefix: str) -> Entry:
        """The one result whose identity begins with ``prefix``.

        Raises:
            ConfigError: there is none, or more than one.
        """
        every = self.entries()
        found = [entry for entry in every if entry.identity.startswith(prefix)]
        if len(found) != 1 or not prefix:
            if found:
                raise ConfigError(f"identity {prefix!r} fits {len(found)} results: give more of it")
            raise unknown("identity", prefix, [entry.identity[:12] for entry in every])
        return found[0]

    def parent(self, entry: Entry) -> Entry | None:
        """The stage that a result was made from, where the store still has it."""
        identity = entry.parent
        if identity is None or not (self.folder("stage", identity) / ENTRY).exists():
            return None
        return self.get("stage", identity)

    def remove(self, entry: Entry) -> None:
        """Delete a result: first out of sight by a rename, then for good."""
        self.bury(entry.folder)

    def bury(self, folder: Path) -> None:
        """Delete a folder of the store; readers see all of it or none."""
        work = self.root / "work"
        work.mkdir(parents=True, exist_ok=True)
        grave = Path(tempfile.mkdtemp(prefix=GRAVE, dir=work))
        folder.rename(grave / folder.name)
        shutil.rmtree(grave, ignore_errors=True)


def changed_modules(then: Mapping[str, str] | None, now: str) -> list[str]:
    """Modules whose source differs; empty where either side does not know its modules."""
    if then is None or not isinstance(now, SourceHash):
        return []
    return sorted(m for m in {*then, *now.modules} if then.get(m) != now.modules.get(m))
