"""The plan of a recipe: memory, FLOPs, hours and bytes of every stage, and whether it fits."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.data.tiles import TokensPerImage
from vilax.models.vlm import VisionLanguageModel
from vilax.planning.blank import blank_model, llm_config
from vilax.planning.counting import Counts, count
from vilax.planning.fixes import find_fixes
from vilax.planning.hardware import GPUS, USABLE, Gpu
from vilax.planning.memory import Memory, MemoryPlanner
from vilax.planning.mix import mix_of
from vilax.planning.setting import Setting, setting_of
from vilax.planning.work import Mix, flops_per_token
from vilax.training.build import build_transform, freeze_model, image_tokens
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
class StagePlan:
    """What a stage will take.

    Attributes:
        name: the stage.
        counts: parameters, and their bytes where they are not sharded.
        mix: what rows hold.
        setting: how it would run.
        memory: bytes on the fullest rank.
        flops: FLOPs per token.
        tokens: tokens of the budget.
        hours: GPU-hours.
        storage: bytes of the result, and of a resume checkpoint: what is trained, with the
            optimizer's state.
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
    planner = memory_planner(run, name)
    model, policy, mix = planner.model, planner.policy, planner.mix
    setting = setting_of(run.trainer, stage, machine.gpus)
    memory = planner.memory(setting)
    limit = int(machine.gpu.memory * USABLE)
    fits = memory.peak <= limit
    whole = count(model)
    config = llm_config(run.llm)
    flops = flops_per_token(model, config, policy, whole, mix, setting.checkpointing)
    tokens = _tokens(stage, mix)
    return StagePlan(
        name=name,
        counts=whole,
        mix=mix,
        setting=setting,
        memory=memory,
        flops=flops,
        tokens=tokens,
        hours=flops * tokens / (machine.gpu.flops * machine.used) / 3600,
        storage=(whole.result, whole.resume),
        fits=fits,
        fixes=() if fits else find_fixes(planner, setting, limit),
    )


def memory_planner(
    run: Run, name: str, mix: Callable[[TokensPerImage], Mix] | None = None
) -> MemoryPlanner:
    """What says the memory of a stage under one setting and another.

    Args:
        run: the configuration.
        name: the stage.
        mix: visual tokens of a picture to what rows hold; None: as the stage's data have it.

    Raises:
        ConfigError: a part of the model cannot be built, or the freeze policy does not fit it.
    """
    model = blank_model(run, run.stages[name].parts)
    with torch.device("meta"):
        policy = freeze_model(model, run, name)
    each = _image_tokens(run, model)
    return MemoryPlanner(run, name, model, policy, mix(each) if mix else mix_of(run, name, each))


def _image_tokens(run: Run, model: VisionLanguageModel) -> TokensPerImage:
    if model.encoder is None:
        return 0
    return image_tokens(build_transform(run.encoder, model.encoder), model.tokens_per_view)


def _tokens(stage: Stage, mix: Mix) -> float:
    """Tokens of a stage's budget."""
    amount = stage.budget.amount
    if stage.budget.kind == "tokens":
        return float(amount)
    if stage.budget.kind == "documents":
        return amount * mix.document
    return amount / mix.images if mix.images else 0.0
