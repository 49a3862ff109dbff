"""A comparison resolved: each arm's overrides, its validated run, the command that repeats it."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vilax.ablation.claim_checks import check_claims
from vilax.config.comparisons import load_comparison
from vilax.config.compose import compose_run, group_of
from vilax.config.errors import ConfigError, unknown
from vilax.config.groups import composed_once
from vilax.config.schema.comparison import Comparison
from vilax.config.schema.run import Run

RESERVED = {"seed": "--seeds", "scale": "--scale"}
"""Keys that options of ``vilax compare`` set."""


@dataclass(frozen=True)
class ArmRun:
    """One arm at one seed.

    Attributes:
        comparison: name of the comparison.
        arm: name of the arm.
        seed: the comparison's seed; the run's own is further by the arm's ``seed_offset``.
        overrides: what the recipe is composed with, in the grammar of the command line.
        run: the validated configuration.
        stage: the stage whose result is evaluated.
    """

    comparison: str
    arm: str
    seed: int
    overrides: tuple[str, ...]
    run: Run
    stage: str

    @property
    def label(self) -> str:
        """Short name for lines of progress."""
        return f"{self.arm}/{self.seed}"

    @property
    def command(self) -> str:
        """The command that trains (or reuses) and evaluates this arm alone."""
        return shlex.join(["vilax", "evaluate", *self.overrides])


@dataclass(frozen=True)
class Resolved:
    """A comparison with the runs of all its arms and seeds.

    Attributes:
        name: folder name under ``experiments/``.
        comparison: what the files say.
        scale: name of the scale.
        seeds: seeds, in the order given.
        runs: every arm at every seed, arms in the order of their names.
        given: the name or folder by which it was asked for.
        extra: overrides that all arms were given on top of the files.
        config_dir: the user's configuration folder.
    """

    name: str
    comparison: Comparison
    scale: str
    seeds: tuple[int, ...]
    runs: tuple[ArmRun, ...]
    given: str = ""
    extra: tuple[str, ...] = ()
    config_dir: Path | None = None

    @property
    def arms(self) -> dict[str, Run]:
        """Each arm's configuration at the first seed."""
        return {run.arm: run.run for run in self.runs if run.seed == self.seeds[0]}


def override_text(key: str, value: Any) -> str:
    """One ``key=value`` of the command line for a YAML value."""
    if isinstance(value, str):
        is_name = group_of(key) is not None or key.startswith("corpora.")
        return f"{key}={value if is_name else _quoted(value)}"
    return f"{key}={_flow(value)}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    if text and all(letter.isalnum() or letter in "_-./" for letter in text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def resolve_all(
    names: Iterable[str],
    seeds: Sequence[int] = (),
    scale: str = "micro",
    extra: Sequence[str] = (),
    config_dir: Path | None = None,
) -> list[Resolved]:
    """Several comparisons; what their arms have in common is composed once.

    Raises:
        ConfigError: as ``resolve`` does.
    """
    with composed_once():
        return [resolve(name, seeds, scale, extra, config_dir) for name in names]


@composed_once()
def resolve(
    name: str,
    seeds: Sequence[int] = (),
    scale: str = "micro",
    extra: Sequence[str] = (),
    config_dir: Path | None = None,
) -> Resolved:
    """Load a comparison and compose every arm.

    Args:
        name: a comparison's name, or the path of its folder.
        seeds: seeds to run; empty: the comparison's own.
        scale: name of the scale.
        extra: ``key=value`` overrides that all arms get.
        config_dir: the user's configuration folder.

    Raises:
        ConfigError: the files do not fit the schema, a claim names what does not exist, or an
            extra override would undo what the arms differ in.
    """
    comparison = load_comparison(name, config_dir).at_scale(scale)
    wanted = tuple(dict.fromkeys(seeds or comparison.seeds))
    if any(seed < 0 for seed in wanted):
        raise ConfigError(f"seeds {', '.join(map(str, wanted))}: expected whole numbers from 0")
    short = Path(name).name
    if scale not in comparison.scales:
        raise ConfigError(
            f"comparison {short} does not run at scale {scale}; expected --scale"
            f" {' or '.join(comparison.scales)}"
        )
    _check_extra(short, comparison, extra)
    runs = []
    for arm, settings in comparison.arms.items():
        if not comparison.runs_at(arm, scale):
            continue
        stage = settings.stage or comparison.stage
        shared = [override_text(key, value) for key, value in comparison.base.items()]
        own = [override_text(key, value) for key, value in settings.overrides.items()]
        overrides = (f"scale={scale}", *shared, *extra, *own, f"until={stage}")
        try:
            run = compose_run(overrides, config_dir)
        except ConfigError as error:
            raise ConfigError(f"comparison {short}, arm {arm}: {error}") from error
        for seed in wanted:
            own_seed = seed + settings.seed_offset
            seeded = run.model_copy(update={"seed": own_seed, "name": f"{short}-{arm}"})
            words = (*overrides, f"seed={own_seed}")
            runs.append(ArmRun(short, arm, seed, words, seeded, stage))
    resolved = Resolved(
        short, comparison, scale, wanted, tuple(runs), name, tuple(extra), config_dir
    )
    _check_names(resolved)
    return resolved


def _check_extra(name: str, comparison: Comparison, extra: Sequence[str]) -> None:
    own = {key for arm in comparison.arms.values() for key in arm.overrides}
    for text in extra:
        key = text.partition("=")[0]
        if key in RESERVED:
            raise ConfigError(f"{text}: give {RESERVED[key]} instead")
        clash = [k for k in own if k == key or k.startswith(f"{key}.") or key.startswith(f"{k}.")]
        if clash:
            raise ConfigError(
                f"{text}: the arms of {name} differ in {clash[0]}, so it stays theirs"
            )


def _check_names(resolved: Resolved) -> None:
    """Refuse claims, endpoints and controls that name what does not exist."""
    comparison, arms = resolved.comparison, resolved.arms
    if len(arms) < 2:
        raise ConfigError(f"comparison {resolved.name} has {len(arms)} arms, expected 2 or more")
    for one in resolved.runs:
        if one.stage not in one.run.order:
            raise unknown(f"stage of arm {one.arm}", one.stage, one.run.order)
    run = next(iter(arms.values()))
    tasks = run.evaluation.tasks
    for shown, control in comparison.controls.items():
        for task in (shown, control):
            if task not in tasks:
                raise unknown("task of a control", task, tasks)
    trained = {
        one.arm: one.run.order[: one.run.order.index(one.stage) + 1] for one in resolved.runs
    }
    check_claims(comparison, run, trained)
