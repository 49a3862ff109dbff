"""A multirun as a comparison: its combinations are the arms; it claims nothing."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vilax.ablation.collect import Collected, collect
from vilax.ablation.comparison import ArmRun, Resolved
from vilax.ablation.graph import Lookup, build
from vilax.ablation.nodes import has_images
from vilax.config.errors import ConfigError
from vilax.config.schema.comparison import Arm, Comparison, Endpoint, PaperTable
from vilax.config.schema.run import Run
from vilax.evaluation.identity import asked_tasks
from vilax.training.recipe import stages_of

SEED = "seed"


def resolve_ad_hoc(words: Sequence[str], chosen: Sequence[tuple[Sequence[str], Run]]) -> Resolved:
    """The comparison that a multirun makes.

    Arms are the combinations of all keys with several values but the seed. It is called after the
    runs' ``name`` where that is given, else after these keys; the same sweep, given again, takes
    its place in the report.

    Args:
        words: the command's overrides, as given.
        chosen: each combination's overrides and run.

    Raises:
        ConfigError: the combinations are of several scales, or no task is asked of all of them.
    """
    scales = sorted({run.scale for _, run in chosen})
    if len(scales) > 1:
        raise ConfigError(
            f"scale={','.join(scales)}: a report is of one scale, expected a multirun for each"
        )
    values = [dict(word.partition("=")[::2] for word in overrides) for overrides, _ in chosen]
    swept = [key for key in values[0] if len({one[key] for one in values}) > 1]
    keys = [key for key in swept if key != SEED]
    named = chosen[0][1].name
    short = named if named != "run" and "name" not in keys else "-".join(keys or swept or ["run"])
    name = f"multirun-{short}"
    arms = [_arm(one, keys) for one in values]
    runs = tuple(
        ArmRun(name, arm, run.seed, tuple(overrides), run, stages_of(run)[-1])
        for arm, (overrides, run) in sorted(
            zip(arms, chosen, strict=True), key=lambda pair: arms.index(pair[0])
        )
    )
    comparison = Comparison(
        title=f"Multirun over {', '.join(keys or swept) or 'nothing'}",
        question=f"vilax evaluate -m {shlex.join(words)}",
        varies=tuple(keys) or (SEED,),
        seeds=tuple(dict.fromkeys(run.seed for _, run in chosen)),
        stage=runs[0].stage,
        endpoints=_endpoints([(one.run, one.stage) for one in runs]),
        paper=PaperTable(source="none", columns=(), rows={}),
        claims={},
        scales=(scales[0],),
        arms={
            arm: Arm(title=arm, overrides={key: one[key] for key in keys})
            for arm, one in zip(arms, values, strict=True)
        },
    )
    return Resolved(name, comparison, scales[0], comparison.seeds, runs)


def _arm(values: Mapping[str, str], keys: Sequence[str]) -> str:
    """An arm's name: what it is given, in words that may stand in a file's name."""
    return ",".join(f"{key}={values[key].replace('/', '_')}" for key in keys) or "all"


def _endpoints(runs: Sequence[tuple[Run, str]]) -> dict[str, Endpoint]:
    asked = [asked_tasks(run, has_images(run, stage)) for run, stage in runs]
    tasks = tuple(task for task in asked[0] if all(task in other for other in asked))
    if not tasks:
        raise ConfigError("no task is asked of all combinations, so they cannot be compared")
    each = {task: Endpoint(title=task, tasks=(task,)) for task in tasks}
    return {"average": Endpoint(title="average of the tasks", tasks=tasks)} | each


def collect_ad_hoc(resolved: Resolved, lookup: Lookup, command: str) -> Collected | None:
    """What the store has of it; None where no combination was evaluated.

    Args:
        resolved: the comparison.
        lookup: where results are found.
        command: what repeats it.
    """
    found = collect(resolved, build([resolved], lookup), {}, lookup)
    is_empty = not any(stage == "evaluation" for _, _, stage in found.results)
    return None if is_empty else replace(found, command=command)
