"""The plan of a recipe: memory, FLOPs, hours and bytes of every stage, and whether it fits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from vilax.config.schema.run import Run
from vilax.models.freeze import PartPlan, apply_freeze
from vilax.models.vlm import VisionLanguageModel
from vilax.planning.blank import blank_model, llm_config
from vilax.planning.counting import Counts, count
from vilax.planning.hardware import GPUS, USABLE, Gpu
from vilax.planning.mix import mix_of
from vilax.planning.running import Load, Peaks, peaks
from vilax.planning.work import Mix, flops_per_token
from vilax.training.build import freeze_plan
from vilax.training.recipe import stages_of


@dataclass(frozen=True)
class Machine:
    """What a recipe is planned for.

    Attributes:
        gpus: how many.
        gpu: which.
        price: US dollars per GPU-hour.
        used: share of the data sheet's FLOPs that training reaches.
    """

    gpus: int
    gpu: Gpu
    price: float
    used: float

    @property
    def name(self) -> str:
        """How many of which."""
        return f"{self.gpus} x {next(name for name, gpu in GPUS.items() if gpu is self.gpu)}"


@dataclass(frozen=True)
class Setting:
    """What may be changed without changing results.

    Attributes:
        rows: rows of a forward pass on a rank.
        checkpointing: blocks are computed again in backward.
        gpus: devices.
    """

    rows: int
    checkpointing: bool
    gpus: int


@dataclass(frozen=True)
class Memory:
    """Bytes on the fullest rank, by kind."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    encoder: int
    logits: int
    buffers: int

    @property
    def peak(self) -> int:
        """All kinds at once: an upper bound, for activations and the optimizer's step do not
        peak together."""
        return sum(vars(self).values())


@dataclass(frozen=True)
class StagePlan:
    """What a stage will take.

    Attributes:
        name: the stage.
        counts: parameters and their bytes on a rank.
        mix: what rows hold.
        setting: how it would run.
        memory: bytes on a rank.
        flops: FLOPs per token.
        tokens: tokens of the budget.
        hours: GPU-hours.
        storage: bytes of the result, and of a resume checkpoint.
        fits: whether the peak is within the device's usable memory.
        fixes: smallest changes that make it fit, where it does not; tried for real.
    """

    name: str
    counts: Counts
    mix: Mix
    setting: Setting
    memory: Memory
    flops: float
    tokens: float
    hours: float
    storage: tuple[int, int]
    fits: bool
    fixes: tuple[tuple[Setting, Memory], ...]


def plan_run(run: Run, machine: Machine) -> list[StagePlan]:
    """Plan every stage of a run.

    Raises:
        ConfigError: a part of the model cannot be built.
    """
    return [plan_stage(run, name, machine) for name in stages_of(run)]


def plan_stage(run: Run, name: str, machine: Machine) -> StagePlan:
    """Plan one stage."""
    stage = run.stages[name]
    policy = freeze_plan(stage)
    model = blank_model(run, stage.parts)
    with torch.device("meta"):
        apply_freeze(model, policy)
    mix = mix_of(run, name, model.tokens_per_image)
    per_rank = max(1, stage.batch // machine.gpus)
    rows = min(run.trainer.micro_rows or per_rank, per_rank)
    setting = Setting(rows, run.trainer.activation_checkpointing, machine.gpus)
    planner = _Planner(run, name, model, policy, mix)
    memory = planner.memory(setting)
    limit = int(machine.gpu.memory * USABLE)
    fits = memory.peak <= limit
    fixes = () if fits else tuple(_fixes(planner, setting, limit))
    counts = count(model, _shards(run, machine.gpus))
    config = llm_config(run.llm)
    flops = flops_per_token(model, config, policy, counts, mix, setting.checkpointing)
    amount = stage.budget.amount
    tokens = {
        "tokens": float(amount),
        "documents": amount * mix.document,
        "images": amount / mix.images if mix.images else 0.0,
    }[stage.budget.kind]
    hours = flops * tokens / (machine.gpu.flops * machine.used) / 3600
    result = 4 * sum(every for every, trained in counts.parts.values() if trained)
    everything = 4 * sum(every for every, _ in counts.parts.values())
    resume = everything + 8 * counts.trained
    return StagePlan(
        name,
        counts,
        mix,
        setting,
        memory,
        flops,
        tokens,
        hours,
        (result, resume),
        fits,
        fixes,
    )


def _shards(run: Run, gpus: int) -> int:
    return gpus if run.trainer.strategy == "fsdp" else 1


class _Planner:
    """Memory of a stage under other settings; forward passes are run once per setting."""

    def __init__(
        self,
        run: Run,
        name: str,
        model: VisionLanguageModel,
        policy: dict[str, PartPlan],
        mix: Mix,
    ) -> None:
        self.run, self.stage, self.model = run, run.stages[name], model
        self.policy, self.mix = policy, mix
        self._ran: dict[Load, Peaks] = {}

    def memory(self, setting: Setting) -> Memory:
        """Bytes on the fullest rank."""
        run, stage = self.run, self.stage
        tokens = setting.rows * stage.length
        load = Load(
            rows=setting.rows,
            length=stage.length,
            images=0 if self.model.encoder is None else round(tokens * self.mix.images + 0.49),
            supervised=round(tokens * self.mix.supervised),
            chunk=run.kernels.loss_chunk,
            checkpointing=setting.checkpointing,
            bf16=run.trainer.precision == "bf16",
            halved=run.trainer.strategy == "fsdp",
        )
        if load not in self._ran:
            self._ran[load] = peaks(run, stage, self.policy, load)
        found = self._ran[load]
        shards = _shards(run, setting.gpus)
        counts = count(self.model, shards)
        return Memory(
            counts.weights,
            counts.gradients,
            counts.optimizer,
            found.activations,
            found.encoder,
            found.logits,
            self._buffers(shards, counts),
        )

    def _buffers(self, shards: int, counts: Counts) -> int:
        """What is gathered and reduced beside the shards.

        FSDP2 holds the root's weights (what is in no block) from forward to backward, two blocks'
        while one is fetched ahead, and one block's gradient before and while it is reduced.
        """
        strategy = self.run.trainer.strategy
        if strategy == "ddp":
            return counts.gradients
        if strategy == "single" or shards == 1:
            return 0
        width = 2 if self.run.trainer.precision == "bf16" else 4
        blocks = list(self.model.llm.blocks())
        largest = max(sum(p.numel() for p in block.parameters()) for block in blocks)
        inside = {id(p) for block in blocks for p in block.parameters()}
        llm = self.model.llm.parameters()
        root = sum(p.numel() for p in llm if id(p) not in inside)
        reduced = max(
            (sum(p.numel() for p in b.parameters() if p.requires_grad) for b in blocks), default=0
        )
        return width * (root + 2 * largest) + (width + 4) * reduced


def _fixes(planner: _Planner, now: Setting, limit: int) -> Iterator[tuple[Setting, Memory]]:
    """The first single changes that fit; if there is none, joint ones; then more devices."""
    found = []
    if not now.checkpointing:
        found.append(replace(now, checkpointing=True))
    found.append(replace(now, rows=_rows_that_fit(planner, now, limit)))
    fitting = [(s, m) for s in found if s != now and (m := planner.memory(s)).peak <= limit]
    if fitting:
        yield from fitting
        return
    both = replace(now, checkpointing=True, rows=1)
    memory = planner.memory(both)
    if memory.peak <= limit:
        larger = replace(both, rows=_rows_that_fit(planner, replace(both, rows=now.rows), limit))
        memory = planner.memory(larger)
        yield larger, memory
        return
    if planner.run.trainer.strategy != "fsdp":
        return
    for factor in (2, 4, 8, 16, 32):
        wider = replace(both, gpus=now.gpus * factor)
        memory = planner.memory(wider)
        if memory.peak <= limit:
            yield wider, memory
            return


def _rows_that_fit(planner: _Planner, now: Setting, limit: int) -> int:
    """The largest power of two of rows that fits, or 1: memory is a line in the rows."""
    one, most_now = (planner.memory(replace(now, rows=rows)).peak for rows in (1, now.rows))
    if most_now <= limit or now.rows == 1:
        return now.rows
    most = 1 + (limit - one) * (now.rows - 1) / max(1, most_now - one)
    rows = 1
    while rows * 2 <= min(now.rows, most):
        rows *= 2
    while rows > 1 and planner.memory(replace(now, rows=rows)).peak > limit:
        rows //= 2
    return rows
