"""Answers as they come, on disk: what a killed evaluation goes on from."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vilax.artifacts.run_record import read_rows

Part = tuple[str, int, int]
"""Task, number of shots, seed of their choice."""


class Journal:
    """One file per process, one line per answered item; a line is written whole or not at all.

    Args:
        folder: shared by the processes of one evaluation, and by a killed one and its successor.
        rank: this process.
        made_by: hash of the source code; answers that other code gave are not taken over.
    """

    def __init__(self, folder: Path, rank: int, made_by: str) -> None:
        self.folder, self.made_by = folder, made_by
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"answers-{rank}.jsonl"

    def write(self, part: Part, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append answers and make them durable."""
        task, k, seed = part
        shared = {"task": task, "k": k, "seed": seed, "by": self.made_by}
        lines = "".join(json.dumps(shared | dict(row), ensure_ascii=False) + "\n" for row in rows)
        with self.path.open("ab") as file:
            # What a kill has torn must not swallow the line that follows it.
            file.write(b"\n" + lines.encode())
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> dict[Part, dict[str, dict[str, Any]]]:
        """What any process has answered so far: part to item to its line."""
        found: dict[Part, dict[str, dict[str, Any]]] = {}
        for path in sorted(self.folder.glob("answers-*.jsonl")):
            for row in read_rows(path):
                if row.get("by") == self.made_by:
                    part = (str(row["task"]), int(row["k"]), int(row["seed"]))
                    found.setdefault(part, {})[str(row["id"])] = row
        return found
