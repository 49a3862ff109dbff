"""Train up to a stage as each of several processes does, interrupted there once and resumed.

``torchrun -m tests.training.interrupted STAGE STEP key=value ...``
"""

import sys

import pytest
from lightning.pytorch.callbacks import Callback

from tests.training.test_stage import InterruptAt
from vilax.config.compose import compose_run
from vilax.training.recipe import parent_of
from vilax.training.stage import run_stage


class StartsAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        assert pl_module.progress.step >= self.step, "it began afresh"


def main(stage: str, step: int, words: list[str]) -> None:
    run = compose_run(words)
    parent = parent_of(run, stage)
    assert parent is not None
    run_stage(run, parent, visible=False)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        run_stage(run, stage, visible=False, callbacks=(InterruptAt(step),))
    run_stage(run, stage, visible=False, callbacks=(StartsAt(step),))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
