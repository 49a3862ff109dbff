"""A comparison of tiny runs, results that were never trained, and work that leaves marks."""

import json
import os
import signal
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vilax.ablation.comparison import Resolved, resolve
from vilax.ablation.executor import Outcome
from vilax.ablation.graph import Lookup, Node
from vilax.artifacts.identity import identity, science_dump
from vilax.artifacts.store import Entry
from vilax.config.schema.run import Run


@cache
def freezing(seeds: tuple[int, ...] = (0,), extra: tuple[str, ...] = ()) -> Resolved:
    return resolve("freezing", seeds, "micro", extra)


def fake_identity(run: Run, stage: str) -> str:
    """Like the real one in what it shares: settings of the stages up to this one."""
    order = list(run.order)
    stages = order[: order.index(stage) + 1]
    seeds = [run.seed if run.stages[s].seed is None else run.stages[s].seed for s in stages]
    parts: dict[str, Any] = {s: science_dump(run.stages[s]) for s in stages}
    if len(stages) > 1:
        parts["projector"] = science_dump(run.projector)
    return identity(parts | {"seeds": seeds})


def fake_evaluation_identity(run: Run, stage: str) -> str:
    return identity({"stage": fake_identity(run, stage), "seed": run.seed})


def entry(kind: str, name: str, folder: Path, meta: Mapping[str, Any]) -> Entry:
    return Entry(kind, name, folder, {}, meta, {})


class FakeStore:
    """Finds what was put in."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def lookup(self) -> Lookup:
        return Lookup(
            fake_identity,
            fake_evaluation_identity,
            lambda run, stage: self.entries.get(f"stage:{fake_identity(run, stage)}"),
            lambda run, stage: self.entries.get(
                f"evaluation:{fake_evaluation_identity(run, stage)}"
            ),
        )

    def put(self, node: Node, folder: Path, meta: Mapping[str, Any] | None = None) -> None:
        self.entries[node.key] = entry(
            node.kind, node.key.partition(":")[2], folder, meta or {"name": node.stage}
        )


class Recorder:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.running = 0
        self.most = 0

    def started(self, node: Node) -> None:
        self.lines.append(f"start {node.key}")
        self.running += node.threads
        self.most = max(self.most, self.running)

    def ended(self, node: Node, outcome: Outcome) -> None:
        self.lines.append(f"end {node.key} {outcome.failure}".strip())
        self.running -= node.threads if f"start {node.key}" in self.lines else 0

    def noted(self, line: str) -> None:
        self.lines.append(line)


def mark(kind: str, run: Run, stage: str, threads: int) -> None:
    """Work that appends a line to a file; the stage's name says how it goes wrong."""
    folder = Path(os.environ["VILAX_OUTPUTS"])
    with (folder / "marks.jsonl").open("a") as file:
        devices = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        line = {"stage": stage, "pid": os.getpid(), "kind": kind, "devices": devices}
        file.write(json.dumps(line) + "\n")
    if stage.startswith("bad"):
        raise ValueError("this stage is bad")
    if stage.startswith("slow"):
        time.sleep(60)
    if stage.startswith("dies") or (stage == "fragile" and not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def marks(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "marks.jsonl").read_text().splitlines()]
