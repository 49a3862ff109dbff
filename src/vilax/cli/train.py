"""``vilax train``: a recipe, or the part of it up to a stage."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from vilax.cli.overrides import combined, multirun, parse, print_help, shown
from vilax.config.compose import compose_run
from vilax.config.schema.run import Run

WHAT = """\
Train a recipe's stages in order; a stage that the store has is reused, not trained again.

A stage that the planner finds too large for the devices is named before it starts, with what would
make it fit (vilax plan says more)."""


def main(argv: Sequence[str]) -> int:
    """Compose, validate, train; prints each stage's identity and folder."""
    request = parse(argv)
    if request.help:
        print_help("train", WHAT, request.config_dir)
        return 0
    if request.multirun:
        multirun(combined(request), job)
        again = shlex.join(request.again(request.overrides))
        print(f"their scores, in the report: vilax evaluate -m {again}", file=sys.stderr)
        return 0
    run = compose_run(request.overrides, request.config_dir)
    if request.show:
        print(shown(run), end="")
        return 0
    if needs_launch(run):
        words = launched(run, request.again(request.overrides))
        os.execv(words[0], words)  # noqa: S606
    train(run)
    return 0


def train(run: Run) -> None:
    """Train, print what came of it, and write its curves as a wandb run."""
    from vilax.ablation.dashboards.publish import Published, publish_arm
    from vilax.ablation.while_training import measuring
    from vilax.training.recipe import run_recipe, stages_of

    if os.environ.get("RANK", "0") == "0":
        from vilax.planning.foresight import misfits

        for line in misfits(run):
            print(f"warning: {line}", file=sys.stderr)
    entries = run_recipe(run, measuring(run))
    if os.environ.get("RANK", "0") != "0":
        return
    stages = list(zip(stages_of(run), entries, strict=True))
    for name, entry in stages:
        print(f"{name} {entry.identity} {entry.folder}")
    publish_arm(Published("train", run.name, run.seed, run, stages))


def job(run: Run, words: Sequence[str]) -> None:
    """One run of several: in this process, or in as many as it asks for."""
    if needs_launch(run):
        subprocess.run(launched(run, words), check=True)  # noqa: S603
    else:
        train(run)


def needs_launch(run: Run) -> bool:
    """Whether processes are asked for and no launcher has started them."""
    wants = run.trainer.strategy != "single" and run.trainer.devices > 1
    return wants and run.trainer.nodes == 1 and "RANK" not in os.environ


def launched(run: Run, words: Sequence[str]) -> list[str]:
    """A torchrun command with one process per device on this machine."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun.append(f"--nproc-per-node={run.trainer.devices}")
    return [*torchrun, "-m", "vilax.cli.main", "train", *words]
