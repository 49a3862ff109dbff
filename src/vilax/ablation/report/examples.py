"""Items on which arms disagree, drawn by a stated rule, with their pictures."""

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from vilax.ablation.collect import Collected
from vilax.ablation.report.evidence import Answer, Example, Examples
from vilax.artifacts.store import Entry
from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run

TASKS = 3
"""Tasks shown at most."""
PER_TASK = 2
"""Items shown of a task."""
PICTURES = 6
"""Pictures shown of a prompt, its last ones."""
SIDE = 96
"""Longest side of a shown picture, in pixels."""
QUALITY = 80
LENGTH = 1200
"""Letters shown of a prompt, its last ones."""

Rows = dict[tuple[str, int, str], dict[str, Any]]


def examples(one: Collected, shots: Sequence[int]) -> Examples | None:
    """Items on which arms disagree, at the first seed that two arms have; None where none do.

    Args:
        one: the comparison.
        shots: numbers of shots that claims speak of; the largest that a task has is shown.
    """
    by_seed: dict[int, dict[str, Entry]] = {}
    for (arm, at, stage), entry in one.results.items():
        if stage == "evaluation":
            by_seed.setdefault(at, {})[arm] = entry
    seed = next((s for s in one.resolved.seeds if len(by_seed.get(s, ())) > 1), None)
    if seed is None:
        return None
    answers = {arm: _rows(entry) for arm, entry in by_seed[seed].items()}
    drawn: list[tuple[str, int, str]] = []
    shown = 0
    for task, k in _asked(one, answers, shots):
        split = [
            key
            for key in dict.fromkeys(key for rows in answers.values() for key in rows)
            if key[:2] == (task, k) and _disagree(key, answers)
        ]
        drawn += sorted(split, key=partial(_order, seed))[:PER_TASK]
        shown += bool(split)
        if shown == TASKS:
            break
    if not drawn:
        return None
    run = next(r.run for r in one.resolved.runs if r.seed == seed and r.arm in answers)
    pictures = Pictures(run)
    rule = (
        f"Of the items on which the arms' scores differ at seed {seed}, at the most shots that a"
        f" claim speaks of: the first {PER_TASK} of each of {TASKS} tasks that have such items,"
        " tasks of the endpoints first, items in the order of the SHA-256 of seed, task, shots and"
        " id."
    )
    return Examples(rule=rule, items=tuple(_example(key, answers, pictures, seed) for key in drawn))


def _order(seed: int, key: tuple[str, int, str]) -> bytes:
    return hashlib.sha256(f"{seed}/{key[0]}/{key[1]}/{key[2]}".encode()).digest()


def _rows(entry: Entry) -> Rows:
    """What was said to each item, with the first seed of shots."""
    found: Rows = {}
    with (entry.folder / "predictions.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found.setdefault((str(row["task"]), int(row["k"]), str(row["id"])), row)
    return found


def _asked(
    one: Collected, answers: Mapping[str, Rows], shots: Sequence[int]
) -> list[tuple[str, int]]:
    """Tasks with the number of shots at which their items are shown."""
    have: dict[str, set[int]] = {}
    for task, k, _ in (key for rows in answers.values() for key in rows):
        have.setdefault(task, set()).add(k)
    in_text = {task for scores in one.controls.values() for task in scores}
    endpoints = one.resolved.comparison.endpoints.values()
    first = [task for endpoint in endpoints for task in endpoint.tasks]
    wanted = dict.fromkeys([*first, *(task for task in have if task not in in_text)])
    return [(task, max(have[task] & set(shots) or have[task])) for task in wanted if task in have]


def _disagree(key: tuple[str, int, str], answers: Mapping[str, Rows]) -> bool:
    scores = [rows[key]["score"] for rows in answers.values() if key in rows]
    return len(scores) > 1 and None not in scores and len(set(scores)) > 1


def _example(
    key: tuple[str, int, str], answers: Mapping[str, Rows], pictures: "Pictures", seed: int
) -> Example:
    task, k, name = key
    rows = {arm: found[key] for arm, found in answers.items() if key in found}
    first = next(iter(rows.values()))
    prompt, reference = str(first.get("prompt", "")), first.get("reference", "")
    if len(prompt) > LENGTH:
        prompt = f"… {prompt[-LENGTH:]}"
    return Example(
        task=task,
        k=k,
        id=name,
        prompt=prompt,
        pictures=pictures.of(task, k, name, int(first.get("seed", seed))),
        reference=" / ".join(map(str, reference))
        if isinstance(reference, list)
        else str(reference),
        answers={
            arm: Answer(answer=str(row.get("answer", "")), score=float(row["score"]))
            for arm, row in rows.items()
        },
    )


class Pictures:
    """Pictures of prompts, as small data URIs; none where the evaluation's data are not here.

    Args:
        run: whose evaluation was asked.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._opened: dict[str, Any] = {}

    def of(self, task: str, k: int, name: str, seed: int) -> tuple[str, ...]:
        """Pictures of one prompt, in order."""
        from vilax.data.document import Image
        from vilax.data.formats.files import BadSample

        try:
            if task not in self._opened:
                self._opened[task] = self._open(task)
            source = self._opened[task]
            if source is None:
                return ()
            index = next(i for i in range(len(source)) if source.id(i) == name)
            ask = source.ask(index, k, seed)
            keys = [part.data for part in ask.document.segments if isinstance(part, Image)]
            return tuple(thumbnail(ask.pictures[key].read()) for key in keys[-PICTURES:])
        except (ConfigError, BadSample, OSError, StopIteration):
            # Answers are kept for longer than the data they were given on.
            return ()

    def _open(self, task: str) -> Any:
        from vilax.ablation.nodes import asks_world
        from vilax.evaluation.identity import evaluation_seed
        from vilax.micro import corpora
        from vilax.training.sources import MICRO, corpus_path

        run = self._run
        if task not in run.evaluation.tasks:
            return None
        data = None
        if asks_world(run):
            given = run.evaluation.data
            # A report builds no world.
            if given.startswith(MICRO) and not corpora.is_built(run.micro):
                return None
            data = corpus_path(run, given)
        from vilax.evaluation.open_tasks import open_tasks

        return open_tasks(run.evaluation, [task], data, evaluation_seed(run))[0]


def thumbnail(data: bytes) -> str:
    """An encoded picture, made small, as a data URI.

    Raises:
        BadSample: it cannot be decoded.
    """
    from vilax.data.decoding import decode

    picture = decode(data)
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
