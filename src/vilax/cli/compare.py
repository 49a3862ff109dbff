"""``vilax compare``: train, evaluate and judge the arms of comparisons, each stage once."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from vilax.ablation.collect import Collected, collect
from vilax.ablation.comparison import Resolved, resolve_all
from vilax.ablation.control import require
from vilax.ablation.executor import Outcome, Pool, Room, execute
from vilax.ablation.graph import Graph, build, store_lookup
from vilax.ablation.held import held_by
from vilax.ablation.launch import LAUNCHERS, open_pool
from vilax.ablation.progress import Display
from vilax.ablation.savings import sentences
from vilax.config.comparisons import comparison_names
from vilax.config.errors import ConfigError


def main(argv: Sequence[str]) -> int:
    """Run comparisons and write their report.

    Returns:
        0 if all arms were done, 1 if one failed or saw more data than another.

    Raises:
        ConfigError: the request is bad, or the arms are no controlled comparison.
    """
    options = parser().parse_intermixed_args(argv)
    names = [word for word in options.words if "=" not in word]
    extra = [word for word in options.words if "=" in word]
    seeds = read_seeds(options.seeds)
    asked = names or comparison_names(options.config_dir, options.scale)
    resolved = resolve_all(asked, seeds, options.scale, extra, options.config_dir)
    for comparison in resolved:
        require(comparison)
    if options.plan:
        plan(resolved, options.jobs or cpus(), options.gpus)
        return 0
    graph = build(resolved, store_lookup())
    slurm = read_slurm(options.slurm)

    def launch() -> tuple[Pool, Room]:
        return open_pool(options.launcher, options.jobs or cpus(), options.gpus, slurm)

    collected = run(resolved, graph, launch)
    missing = failures(collected)
    try:
        print(publish(collected, options.scale))
    except OSError as error:
        missing.append(f"the report was not written: {error}; vilax compare again writes it")
    for line in sentences(collected):
        print(f"vilax: {line}", file=sys.stderr)
    for line in missing:
        print(f"vilax: {line}", file=sys.stderr)
    return 1 if missing else 0


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="vilax compare",
        description="Train, evaluate and judge the arms of comparisons. Stages that arms share, or"
        " that the store has, are not trained again.",
    )
    made.add_argument(
        "words",
        nargs="*",
        metavar="NAME|key=value",
        help="comparisons or their folders (default: all), and overrides that all arms get",
    )
    made.add_argument("--seeds", help="such as 0,1,2 (default: the comparison's own)")
    made.add_argument("--scale", default="micro", help="name of the scale (default: micro)")
    made.add_argument("--jobs", type=int, help="CPU threads to use (default: all)")
    made.add_argument(
        "--gpus", type=int, help="GPUs of this machine to use, one node on each (default: all)"
    )
    made.add_argument(
        "--launcher",
        default="local",
        metavar="NAME",
        help="; ".join(f"{name}: {line}" for name, line in LAUNCHERS.items()) + " (default: local)",
    )
    made.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="with submitit, a parameter of sbatch: partition=gpu time=240 (minutes) account=vlm;"
        " may be given again",
    )
    made.add_argument("--plan", action="store_true", help="print what would run, and run nothing")
    made.add_argument("--config-dir", type=Path, help="your own configuration folder")
    return made


def read_seeds(text: str | None) -> tuple[int, ...]:
    """Seeds of ``0,1,2``.

    Raises:
        ConfigError: it is something else.
    """
    words = [] if text is None else text.replace(" ", ",").split(",")
    if not all(word.isdigit() for word in words if word):
        raise ConfigError(f"--seeds {text}: expected whole numbers from 0, such as 0,1,2")
    return tuple(int(word) for word in words if word)


def cpus() -> int:
    """CPU threads that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def plan(resolved: Sequence[Resolved], jobs: int, gpus: int | None) -> None:
    """Print what would run, in order, and what is shared or stored.

    Args:
        resolved: the comparisons.
        jobs: CPU threads to use.
        gpus: GPUs to use; None: as many as the widest stage takes.
    """
    from vilax.cli import sweep_table

    machine = None
    if resolved[0].scale == sweep_table.PAPER:
        from vilax.planning.hardware import USED, USUAL, find_gpu
        from vilax.planning.plan import Machine

        trainers = [run.run.trainer for one in resolved for run in one.runs]
        widest = max(trainer.devices * trainer.nodes for trainer in trainers)
        machine = Machine(gpus or widest, find_gpu(USUAL), find_gpu(USUAL).price, USED)
    found = sweep_table.sweep(resolved, jobs, gpus or 0, machine)
    sweep_table.show(found, None if machine is None else machine.price)


def read_slurm(words: Sequence[str]) -> dict[str, str | int]:
    """Parameters of ``--slurm KEY=VALUE ...``; whole numbers become such.

    Raises:
        ConfigError: a word is none, or a time is not in minutes.
    """
    found: dict[str, str | int] = {}
    for word in (part for text in words for part in text.split()):
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise ConfigError(f"--slurm {word}: expected KEY=VALUE, such as partition=gpu")
        if key == "time" and not value.isdigit():
            raise ConfigError(f"--slurm {word}: expected minutes, such as time=240")
        found[key] = int(value) if value.isdigit() else value
    return found


def run(
    resolved: Sequence[Resolved], graph: Graph, launch: Callable[[], tuple[Pool, Room]]
) -> list[Collected]:
    """Run what is pending and gather what there is then, also where something failed."""
    from vilax.ablation.report.live import Live

    outcomes: dict[str, Outcome] = {}
    lookup = store_lookup()
    opened = launch() if graph.pending else None
    room = Room(None) if opened is None else opened[1]
    with Display(graph, threads=room.threads, gpus=len(room.devices)) as display:
        if opened is not None:
            pool = opened[0]
            with Live(display, resolved, graph, lookup) as live:
                outcomes = execute(graph.pending, pool, live, room, held_by)
    return [collect(comparison, graph, outcomes, lookup) for comparison in resolved]


def publish(collected: Sequence[Collected], scale: str) -> Path:
    """Write the report and the dashboards; returns the report's page."""
    from vilax.ablation.dashboards.publish import Published, measured, publish_arm
    from vilax.ablation.report import accumulate

    for one in collected:
        for run in one.resolved.runs:
            done = [
                (stage, one.results[run.arm, run.seed, stage])
                for stage in run.run.order
                if (run.arm, run.seed, stage) in one.results
            ]
            evaluation = one.results.get((run.arm, run.seed, "evaluation"))
            if evaluation is not None:
                figures = measured(one.measures.get((run.arm, run.seed), {}))
                publish_arm(
                    Published(run.comparison, run.arm, run.seed, run.run, done, evaluation, figures)
                )
    return accumulate.publish(collected, scale, collected[0].resolved.config_dir)


def failures(collected: Sequence[Collected]) -> list[str]:
    """What is missing, each with the command that tries it again."""
    lines = []
    for one in collected:
        for arm, facts in one.arms.items():
            if facts.failed or facts.waiting:
                lines.append(f"{one.resolved.name}, arm {arm}, {facts.failed or facts.waiting}")
                lines.append(f"  try it alone: {facts.retry or facts.command}")
        lines += [f"{one.resolved.name}: {sentence}" for sentence in one.unequal]
    return lines
