"""Resume checkpoints inside a stage: weights, optimizer, progress, data position and RNG."""

import base64
import dataclasses
import io
import random
import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback

from vilax.artifacts import checkpoint
from vilax.artifacts.run_record import MetricsWriter
from vilax.training.module import Progress, StageModule
from vilax.training.steps import StepLoader


class Resume(Callback):
    """Saves every so many seconds, and continues from the newest checkpoint that verifies.

    When to save is rank 0's decision, sent to the others, so that all save at the same step.

    Args:
        folder: private to this stage's claim; it survives a kill.
        loader: whose position is saved and restored.
        metrics: rows after the restored step are dropped from it.
        seconds: between two checkpoints.
    """

    def __init__(
        self, folder: Path, loader: StepLoader, metrics: MetricsWriter, seconds: float
    ) -> None:
        self.folder = folder
        self.loader = loader
        self.metrics = metrics
        self.seconds = seconds
        self.seconds_before = 0.0
        self._saved = self._began = time.monotonic()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Continue where the newest complete checkpoint ends."""
        assert isinstance(pl_module, StageModule)
        self._saved = self._began = time.monotonic()
        newest = checkpoint.latest(self.folder)
        if newest is None:
            self.metrics.keep_until(0)
            return
        progress = checkpoint.load(newest, pl_module.model, trainer.optimizers[0])
        pl_module.progress = Progress(**progress["progress"])
        self.seconds_before = float(progress["seconds"])
        self.loader.restore(progress["data"])
        ranks = progress["random"]
        restore_random(ranks[_rank() % len(ranks)])
        if _rank() == 0:
            self.metrics.keep_until(pl_module.progress.step)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save where it is time, unless the stage is over."""
        assert isinstance(pl_module, StageModule)
        is_due = time.monotonic() - self._saved >= self.seconds
        if dist.is_initialized():
            flag = torch.tensor([int(is_due)], device=trainer.strategy.root_device)
            dist.broadcast(flag, src=0)
            is_due = bool(flag.item())
        if is_due and not trainer.should_stop:
            self.save(trainer, pl_module)
            self._saved = time.monotonic()

    def save(self, trainer: L.Trainer, module: StageModule) -> None:
        """Write a checkpoint; every rank must call it."""
        data: dict[str, Any] = {}
        for part in _gathered(self.loader.state()):
            data |= part
        progress = {
            "progress": dataclasses.asdict(module.progress),
            "seconds": self.seconds_before + time.monotonic() - self._began,
            "data": data,
            "random": _gathered(random_state()),
        }
        checkpoint.save(
            self.folder, module.progress.step, module.model, trainer.optimizers[0], progress
        )


def random_state() -> dict[str, Any]:
    """State of Python's, numpy's and torch's generators, as JSON."""
    kind, keys, place, has_gauss, gauss = np.random.get_state()
    version, numbers, following = random.getstate()
    state = {
        "python": [version, list(numbers), following],
        "numpy": [str(kind), [int(key) for key in keys], int(place), int(has_gauss), float(gauss)],
        "torch": base64.b64encode(torch.get_rng_state().numpy().tobytes()).decode(),
    }
    if torch.cuda.is_available():
        cuda = torch.cuda.get_rng_state()
        state["cuda"] = base64.b64encode(cuda.numpy().tobytes()).decode()
    return state


def restore_random(state: dict[str, Any]) -> None:
    """Put the generators back where ``random_state`` found them."""
    version, numbers, following = state["python"]
    random.setstate((version, tuple(numbers), following))
    kind, keys, place, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), place, has_gauss, gauss))
    torch.set_rng_state(_bytes(state["torch"]))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(_bytes(state["cuda"]))


def _bytes(text: str) -> torch.Tensor:
    buffer = io.BytesIO(base64.b64decode(text))
    return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _gathered(value: Any) -> list[Any]:
    if not dist.is_initialized():
        return [value]
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, value)
    return everyone
