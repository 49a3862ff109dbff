"""From answers to files: predictions.jsonl, results.json, timing.json, submissions."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from vilax.artifacts.files import write_json, write_text
from vilax.artifacts.identity import VERSIONS
from vilax.artifacts.run_record import versions
from vilax.config.errors import ConfigError
from vilax.config.schema.evaluation import Evaluation
from vilax.evaluation.asking import Scored, Source, mean_figures
from vilax.evaluation.items import DEVELOPMENT_SEED
from vilax.evaluation.journal import Part
from vilax.evaluation.runner import parts_of

Rows = Mapping[str, Mapping[str, Any]]


def write_results(
    sources: Sequence[Source],
    settings: Evaluation,
    seeds: Sequence[int],
    answers: Mapping[Part, Rows],
    folder: Path,
    stage: str,
) -> dict[str, Any]:
    """Score all answers and write what an evaluation leaves; returns ``results.json``'s content.

    ``results.json`` holds no times, so that an evaluation that was killed and started again leaves
    the same file as one that was not; ``timing.json`` has them.

    Args:
        sources: the tasks.
        settings: tasks and decoding.
        seeds: seeds of the choice of shots.
        answers: part to item to what the journal says of it.
        folder: where to write.
        stage: identity of what is evaluated.

    Raises:
        ConfigError: an item has no answer.
    """
    lines: list[str] = []
    tasks: dict[str, Any] = {}
    timing: dict[str, Any] = {}
    for source in sources:
        scored: dict[int, dict[int, Scored]] = {}
        digest = hashlib.sha256()
        example = ""
        for part in parts_of(source, seeds):
            _, k, seed = part
            rows = _in_order(source, part, answers.get(part, {}))
            found = source.score([str(row["answer"]) for row in rows])
            failed = [row for row in rows if "failed" in row]
            if failed:
                found = found.with_failures(len(failed), str(failed[0]["failed"]))
            scored.setdefault(k, {})[seed] = found
            for index, (row, value) in enumerate(zip(rows, found.values, strict=True)):
                digest.update(str(row["prompt_sha256"]).encode())
                example = example or str(row["prompt"])
                lines.append(_line(source, index, part, row, value))
            spent = [float(row["seconds"]) for row in rows]
            timing.setdefault(source.name, {})[f"{k} shots, seed {seed}"] = {
                "seconds": sum(spent),
                "seconds_per_item": fmean(spent),
            }
        tasks[source.name] = {
            **source.describe(),
            "template": source.template,
            "items": len(source),
            "prompts_sha256": digest.hexdigest(),
            "example_prompt": example,
            **_figures(scored),
        }
        if limit_note := _limit_note(settings, source):
            tasks[source.name]["notes"] = [limit_note, *tasks[source.name]["notes"]]
    report = {
        "stage": stage,
        "seed": seeds[0],
        "shot_seeds": list(seeds),
        "development": seeds[0] >= DEVELOPMENT_SEED,
        "tasks": tasks,
        "decoding": {
            "search": "greedy",
            "temperature": 0,
            "precision": settings.precision,
            "stop": "end of text; cut at the task's stops",
            "max_new_tokens": {s.name: s.max_new_tokens if s.generates else 0 for s in sources},
        },
        "versions": versions() | {"metrics": VERSIONS["evaluation"]},
    }
    write_text(folder / "predictions.jsonl", "".join(lines))
    write_json(folder / "timing.json", timing)
    write_json(folder / "results.json", report)
    return report


def _in_order(source: Source, part: Part, rows: Rows) -> list[Mapping[str, Any]]:
    task, k, _ = part
    found = []
    for index in range(len(source)):
        name = source.id(index)
        if name not in rows:
            raise ConfigError(
                f"evaluation.tasks.{task}: item {name!r} has no answer at {k} shots; the same"
                " command goes on from what is there"
            )
        found.append(rows[name])
    return found


def _figures(scored: Mapping[int, Mapping[int, Scored]]) -> dict[str, Any]:
    """Figures by number of shots: the mean over seeds, each seed's, intervals, what was counted."""
    first = next(iter(next(iter(scored.values())).values()))
    found: dict[str, Any] = {
        "primary": first.primary,
        "scale": first.scale,
        "notes": list(first.notes),
    }
    for name in ("scores", "sd_over_shot_seeds", "interval", "figures", "by_seed", "counts"):
        found[name] = {}
    for k, seeds in scored.items():
        one = next(iter(seeds.values()))
        shares = [each.share for each in seeds.values() if each.share is not None]
        found["scores"][str(k)] = fmean(shares) if shares else None
        found["interval"][str(k)] = one.interval
        found["figures"][str(k)] = mean_figures([each.figures for each in seeds.values()])
        found["counts"][str(k)] = {s: dict(each.counts) for s, each in _named(seeds)}
        if len(seeds) > 1:
            found["sd_over_shot_seeds"][str(k)] = stdev(shares) if len(shares) > 1 else None
            found["by_seed"][str(k)] = {s: each.share for s, each in _named(seeds)}
    return found


def _named(seeds: Mapping[int, Scored]) -> list[tuple[str, Scored]]:
    return [(str(seed), each) for seed, each in seeds.items()]


def _limit_note(settings: Evaluation, source: Source) -> str | None:
    available = source.describe().get("available", len(source))
    if settings.limit is None or available <= len(source):
        return None
    return (
        f"evaluation.limit={settings.limit}: {len(source)} of {available} items, drawn by a fixed"
        " seed; not comparable with figures over all of them"
    )


def _line(
    source: Source, index: int, part: Part, row: Mapping[str, Any], value: float | None
) -> str:
    task, k, seed = part
    names = ("id", "prompt", "answer", "raw", "log_likelihoods", "shots", "failed")
    line = {"task": task, "k": k, "seed": seed}
    line |= {name: row[name] for name in names if name in row}
    line |= {"score": value, **source.row(index)}
    return json.dumps(line, ensure_ascii=False) + "\n"
