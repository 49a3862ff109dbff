"""The one LightningModule: summed losses over a global count of supervised tokens."""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule

from vilax.config.schema.stage import Stage
from vilax.models.freeze import PartPlan
from vilax.models.views import Views, Visual
from vilax.models.vlm import VisionLanguageModel, count_supervised
from vilax.training.optimisation import (
    build_optimizer,
    clip_gradients,
    gradient_norms,
    set_rates,
)
from vilax.training.steps import StepBatch


class TrainingStopped(RuntimeError):
    """Training cannot go on: a step without supervision, or a loss that is not a number."""


@dataclass
class Progress:
    """How far a stage is, over all ranks.

    Attributes:
        step: optimizer steps done.
        tokens: text and visual tokens seen, without padding.
        supervised: tokens that carried loss.
        documents: documents seen, counting each piece of a split one.
        images: pictures seen.
        by_corpus: supervised tokens per corpus.
    """

    step: int = 0
    tokens: int = 0
    supervised: int = 0
    documents: int = 0
    images: int = 0
    by_corpus: dict[str, int] = field(default_factory=dict)

    def used(self, stage: Stage) -> float:
        """Share of the stage's budget that is used; 1 or more when it is over."""
        seen: int = getattr(self, stage.budget.kind)
        return seen / stage.budget.amount


Measurer = Callable[[VisionLanguageModel, int], Mapping[str, Any]]
"""Asked after each optimizer step, with the number of steps: what it gives joins the row of
metrics. It must leave weights, gradients and random numbers as they are."""


class StageModule(L.LightningModule):
    """One stage's training: freeze policy applied, loss as a mean over supervised tokens.

    The mean is taken over the supervised tokens of the whole global batch: each micro-batch on
    each rank contributes its summed loss times world / N, N counted over all ranks and
    micro-batches before the first forward, because DDP and FSDP2 average gradients over ranks.

    Args:
        model: with the freeze policy applied.
        stage: the stage's configuration.
        plan: the freeze policy with learning rates.
        corpora: names of the blend's corpora, in an order that all ranks share.
        normalise: eight-bit pixels in ``StepBatch.visual`` to what the encoder takes, on its
            device; None: they are features.
        sharding: shards the model over a mesh of all devices; called under FSDP2 alone.
        reduce_once: under FSDP2 hold whole gradients until a step's last micro-batch.
        loss_chunk: supervised positions whose logits exist at one time.
        on_step: called after each optimizer step with a row of metrics.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        stage: Stage,
        plan: dict[str, PartPlan],
        corpora: list[str],
        normalise: Callable[[Tensor], Tensor] | None,
        sharding: Callable[[VisionLanguageModel, DeviceMesh], None],
        reduce_once: bool,
        loss_chunk: int,
        on_step: Callable[["StageModule", dict[str, Any]], None],
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.stage = stage
        self.plan = plan
        self.corpora = corpora
        self.normalise = normalise
        self.sharding = sharding
        self.reduce_once = reduce_once
        self.loss_chunk = loss_chunk
        self.on_step = on_step
        self.progress = Progress()
        self.measurers: list[Measurer] = []
        self.is_sharded = False
        self._ended = time.perf_counter()

    def configure_model(self) -> None:
        """Shard under FSDP2; Lightning calls this once the process group is up, maybe twice."""
        mesh = getattr(self, "device_mesh", None)
        if mesh is not None and not self.is_sharded:
            self.sharding(self.model, mesh["data_parallel"])
            self.is_sharded = True

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW over what is trained."""
        return build_optimizer(self.model, self.plan, self.stage.optimizer)

    def forward(self, part: Any, visual: Visual | None) -> Tensor:
        """Summed loss of one micro-batch."""
        given: dict[str, Visual | None]
        if self.normalise is None or visual is None:
            given = {"features": visual}
        elif isinstance(visual, Views):
            given = {"pixels": visual.of(self.normalise(visual.values))}
        else:
            given = {"pixels": self.normalise(visual)}
        total: Tensor = self.model(
            part.tokens, part.positions, part.labels, loss_chunk=self.loss_chunk, **given
        )
        return total

    def training_step(self, batch: StepBatch, index: int) -> None:
        """One optimizer step over all micro-batches of this rank."""
        optimizer = self.optimizers()
        assert isinstance(optimizer, L.pytorch.core.optimizer.LightningOptimizer)
        counts = self._global_counts(batch)
        supervised = counts["supervised"]
        if supervised == 0:
            raise TrainingStopped(
                f"step {self.progress.step} has no supervised token; its documents: " + named(batch)
            )
        before = self.progress.used(self.stage)
        set_rates(optimizer.optimizer, self.stage.schedule, before)
        world = dist.get_world_size() if dist.is_initialized() else 1
        total = torch.zeros((), device=self.trainer.strategy.root_device)
        for number, (part, visual) in enumerate(zip(batch.parts, batch.visual, strict=True)):
            is_last = number == len(batch.parts) - 1
            with self._synchronised(is_last):
                loss = self(part, visual)
                self.manual_backward(loss * (world / supervised))
            total = total + loss.detach()
        if dist.is_initialized():
            dist.all_reduce(total)
        loss_mean = float(total) / supervised
        if not math.isfinite(loss_mean):
            raise TrainingStopped(
                f"step {self.progress.step}: the loss is {loss_mean}; its documents: "
                + named(batch)
            )
        if counts["images"] == 0:
            # Blank pictures may have stood in, which processes need to stay in step. What sees
            # pictures alone has seen none and stays as it is, whatever the number of processes.
            for module in (self.model.encoder, self.model.projector):
                if module is not None:
                    module.zero_grad(set_to_none=True)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        norms = gradient_norms(self.model)
        norm = clip_gradients(trained, self.stage.optimizer.clip)
        if not math.isfinite(norm):
            raise TrainingStopped(
                f"step {self.progress.step}: the gradient norm is {norm}; its documents: "
                + named(batch)
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self._advance(counts)
        now = time.perf_counter()
        row = {
            "step": self.progress.step,
            "share": min(1.0, self.progress.used(self.stage)),
            "loss": loss_mean,
            "gradient_norm": norm,
            "gradient_norm_by_part": norms,
            "tokens": self.progress.tokens,
            "supervised": self.progress.supervised,
            "documents": self.progress.documents,
            "images": self.progress.images,
            "supervised_by_corpus": {c: counts[f"corpus:{c}"] for c in self.corpora},
            "supervised_per_second": supervised / (now - self._ended),
            "data_wait": batch.wait / (now - self._ended),
            "rates": {g["part"]: g["lr"] for g in optimizer.optimizer.param_groups},
        }
        self._ended = now
        for callback in self.measurers:
            row |= callback(self.model, self.progress.step)
        self.on_step(self, row)
        if self.progress.used(self.stage) >= 1.0:
            self.trainer.should_stop = True

    def _synchronised(self, is_last: bool) -> contextlib.AbstractContextManager[None]:
        """What is told of gradients in the backward of a micro-batch.

        Under FSDP2 each micro-batch's are reduced to the shards, lest whole ones be held, and sent
        on to the groups that repeat the weights after the last; elsewhere all wait for the last.
        """
        if isinstance(self.model, FSDPModule):
            if self.reduce_once:
                self.model.set_requires_gradient_sync(is_last)
            else:
                self.model.set_requires_all_reduce(is_last)
        elif not is_last and dist.is_initialized():
            return self.trainer.strategy.model.no_sync()  # type: ignore[no-any-return,union-attr,operator]
        return contextlib.nullcontext()

    def _global_counts(self, batch: StepBatch) -> Counter[str]:
        """Counts of this step over all ranks, by one reduction."""
        counts: Counter[str] = Counter()
        for part in batch.parts:
            counts["supervised"] += count_supervised(part.labels)
            counts["tokens"] += int((part.documents > 0).sum())
            counts["documents"] += sum(len(row) for row in part.keys)
            counts["images"] += len(part.images)
            for corpus, number in part.supervised.items():
                counts[f"corpus:{corpus}"] += number
        if dist.is_initialized():
            names = ["supervised", "tokens", "documents", "images"]
            names += [f"corpus:{corpus}" for corpus in self.corpora]
            # Where weights are offloaded, the module's own device is the host.
            device = self.trainer.strategy.root_device
            values = torch.tensor([counts[name] for name in names], device=device)
            dist.all_reduce(values)
            counts = Counter(dict(zip(names, values.tolist(), strict=True)))
        return counts

    def _advance(self, counts: Counter[str]) -> None:
        done = self.progress
        done.step += 1
        done.tokens += counts["tokens"]
        done.supervised += counts["supervised"]
        done.documents += counts["documents"]
        done.images += counts["images"]
        for corpus in self.corpora:
            done.by_corpus[corpus] = done.by_corpus.get(corpus, 0) + counts[f"corpus:{corpus}"]


def named(batch: StepBatch, most: int = 8) -> str:
    """Keys of a step's documents, for messages."""
    keys = [key for part in batch.parts for row in part.keys for key in row]
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more
