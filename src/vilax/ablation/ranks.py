"""One stage of a graph in as many processes as its trainer wants, started by torchrun."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run
from vilax.training.strategy import world_size


def wants_ranks(run: Run) -> bool:
    """Whether a run's stages take several processes, and no launcher has started them."""
    return world_size(run.trainer) > 1 and "RANK" not in os.environ


def train_in_ranks(run: Run, stage: str) -> None:
    """Train a stage in processes of this machine; what they print goes where ours goes.

    Raises:
        ConfigError: several machines are asked for.
        RuntimeError: a process failed.
    """
    if run.trainer.nodes > 1:
        raise ConfigError(
            f"trainer.nodes={run.trainer.nodes}: a comparison starts processes of one machine;"
            f" train the arm by vilax train under srun, and the comparison reuses its stages"
        )
    with tempfile.TemporaryDirectory(prefix="vilax-") as folder:
        config = Path(folder) / "run.json"
        config.write_text(run.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command.append(f"--nproc-per-node={run.trainer.devices}")
        done = subprocess.run(  # noqa: S603
            [*command, "-m", "vilax.ablation.ranks", str(config), stage], check=False
        )
    if done.returncode:
        raise RuntimeError(
            f"one of {run.trainer.devices} processes of stage {stage} failed (exit code"
            f" {done.returncode})"
        )


def main(config: str, stage: str) -> None:
    """Take part in training a stage; torchrun starts this once for each process."""
    from vilax.ablation.while_training import measuring
    from vilax.training.stage import run_stage

    run = Run.model_validate_json(Path(config).read_text(encoding="utf-8"))
    run_stage(run, stage, visible=False, callbacks=measuring(run))


if __name__ == "__main__":
    main(*sys.argv[1:])
