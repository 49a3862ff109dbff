"""The folder of an evaluation: predictions to judge in, judgements and figures out."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from vilax.artifacts.files import replacing, sha256, write_json, write_text
from vilax.artifacts.lock import WorkLock
from vilax.artifacts.run_record import read_rows
from vilax.artifacts.store import ENTRY
from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import cache_dir, outputs_dir
from vilax.evaluation.judge.prompts import Protocol

PREDICTIONS = "predictions.jsonl"
RESULTS = "results.json"
JUDGEMENTS = "judgements.jsonl"

Rows = list[dict[str, Any]]


def reply_folder() -> Path:
    """Where replies of judges are kept."""
    return cache_dir() / "judge"


def target_of(folder: Path, to: Path | None) -> Path:
    """Where judgements are written: a stored evaluation stays as it was published.

    Args:
        folder: of the evaluation.
        to: the user's choice; None: the folder itself, or for a stored one
            ``outputs/judged/<identity>``.

    Raises:
        ConfigError: the folder is no evaluation's, or ``to`` is stored as well.
    """
    for name in (PREDICTIONS, RESULTS):
        if not (folder / name).is_file():
            raise ConfigError(
                f"judge {folder}: there is no {name}: expected the folder of an evaluation, such"
                " as vilax evaluate prints"
            )
    if to is None:
        is_stored = (folder / ENTRY).exists()
        return outputs_dir() / "judged" / folder.resolve().name if is_stored else folder
    if (to / ENTRY).exists():
        raise ConfigError(f"--to {to}: a stored result, which stays as it is: name another folder")
    return to


def copy(folder: Path, target: Path) -> None:
    """Predictions and results to where they are judged.

    Results that are there already, of the same predictions, stay: they may hold judgements.

    Args:
        folder: of the evaluation.
        target: where they go.
    """
    if folder.resolve() == target.resolve():
        return
    there = target / PREDICTIONS
    is_same = there.is_file() and sha256(there) == sha256(folder / PREDICTIONS)
    if is_same and (target / RESULTS).is_file():
        return
    target.mkdir(parents=True, exist_ok=True)
    # Results go last: as long as they are missing, this is done again.
    (target / RESULTS).unlink(missing_ok=True)
    (target / JUDGEMENTS).unlink(missing_ok=True)
    for name in (PREDICTIONS, RESULTS):
        with replacing(target / name) as temporary:
            shutil.copyfile(folder / name, temporary)


def read_tasks(folder: Path, wanted: Iterable[str] = ()) -> dict[str, tuple[Protocol, Rows]]:
    """Judged tasks of an evaluation: name to protocol and predictions.

    Args:
        folder: of the evaluation.
        wanted: names; none: all that are judged.

    Raises:
        ConfigError: the files cannot be read, or a task is not there or not judged.
    """
    results = _results(folder)
    protocols = {
        name: cast(Protocol, task["judge_protocol"])
        for name, task in results["tasks"].items()
        if task.get("judge_protocol")
    }
    for name, protocol in protocols.items():
        if protocol not in get_args(Protocol):
            raise unknown(f"judge_protocol of {name}", protocol, get_args(Protocol))
    for name in wanted:
        if name not in protocols:
            raise unknown("judged task", name, protocols)
    if not protocols:
        raise ConfigError(f"judge {folder}: none of its tasks is scored by a judge")
    names = list(dict.fromkeys(wanted)) or list(protocols)
    rows: dict[str, Rows] = {name: [] for name in names}
    text = (folder / PREDICTIONS).read_text(encoding="utf-8")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        try:
            row = json.loads(line)
            task, _ = str(row["task"]), (row["k"], row["seed"], row["id"], row["answer"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{folder / PREDICTIONS}, line {number}: expected a prediction with task, k, seed,"
                " id and answer"
            ) from error
        if task in rows:
            rows[task].append(row)
    for name in names:
        if not rows[name]:
            raise ConfigError(f"{folder / PREDICTIONS}: it holds no predictions of {name}")
    return {name: (protocols[name], rows[name]) for name in names}


def write_judged(
    folder: Path,
    lines: Mapping[str, Sequence[Mapping[str, Any]]],
    summaries: Mapping[str, Mapping[str, Any]],
) -> None:
    """Put judgements beside the predictions, and figures into the results.

    What belongs to other tasks stays. Each file is replaced at once.

    Args:
        folder: of the evaluation.
        lines: judgements by task.
        summaries: ``tasks.<name>.judge`` by task.
    """
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    with WorkLock(reply_folder() / "locks" / f"{place}.lock"):
        path = folder / JUDGEMENTS
        old = read_rows(path) if path.is_file() else []
        kept: list[Mapping[str, Any]] = [row for row in old if row.get("task") not in lines]
        every = kept + [line for some in lines.values() for line in some]
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in every))
        results = _results(folder)
        for name, summary in summaries.items():
            results["tasks"][name]["judge"] = dict(summary)
        write_json(folder / RESULTS, results)


def _results(folder: Path) -> dict[str, Any]:
    path = folder / RESULTS
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        # What is not a mapping of mappings is no evaluation's.
        for task in found["tasks"].values():
            task.get("judge_protocol")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: expected the results of an evaluation") from error
    return found
