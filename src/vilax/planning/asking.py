"""GPU-hours of an evaluation and of measures, by formula.

Reading a prompt is bound by arithmetic, writing an answer by the weights that every step reads.
Counted is what the model does; loading weights, reading pictures and scoring are not.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.evaluation import Task
from vilax.config.schema.model import Encoder, Llm, Projector
from vilax.config.schema.run import Run
from vilax.evaluation.identity import asked_tasks, is_text
from vilax.models.vlm import VisionLanguageModel
from vilax.planning.blank import blank_llm, llm_config
from vilax.planning.hardware import Gpu
from vilax.planning.mix import PICTURE, TEXT
from vilax.training.build import blank_encoder, build_projector, build_transform, image_tokens

QUESTION = {"bbh": 900.0, "drop": 300.0, "mmlu": 100.0}
"""Text tokens of a question by metric, an example in the prompt having as many; ours. BBH's three
examples with their chains of thought are part of its question."""
SHORT_QUESTION = 60.0
"""The same of every other metric."""
ANSWER = {"bbh": 150.0, "caption": 15.0, "judged_llava_bench": 150.0, "judged_mm_vet": 100.0}
"""Tokens of an answer by metric, if so many are allowed; ours."""
SHORT_ANSWER = 5.0
"""The same of every other metric."""
ITEMS = 1000
"""Items of a task that does not say how many it has; ours."""


@dataclass(frozen=True)
class Sizes:
    """What counts when a model reads and writes.

    Attributes:
        blocks: weights of the LLM's blocks.
        head: weights of its output layer.
        attention: FLOPs per token and token of context.
        keys: numbers that a token leaves in the cache of keys and values.
        picture: FLOPs of a picture through encoder and projector.
        visual: tokens of a picture.
    """

    blocks: float
    head: float
    attention: float
    keys: float
    picture: float
    visual: int


@dataclass(frozen=True)
class Prompts:
    """The prompts of a task at one number of shots.

    Attributes:
        count: how many.
        text: text tokens of one.
        pictures: pictures of one.
        answer: tokens that are written behind it.
    """

    count: int
    text: float
    pictures: int
    answer: float


def prompts_of(task: Task, limit: int | None) -> list[Prompts]:
    """A task's prompts for each number of shots, with assumed lengths of texts."""
    known = task.items
    metric, allowed, each, is_ranked = "", float(getattr(task, "max_new_tokens", 0)), 1, False
    ways = 1
    if isinstance(task, BenchmarkTask):
        metric, is_ranked = task.metric, task.rank is not None
        known = known or task.count
        if task.video is not None:
            each = task.frames.count if task.frames.rate is None else task.frames.most
        if task.binding is not None:
            known, ways = task.binding.questions, task.binding.ways
    count = min(known or ITEMS, limit or known or ITEMS)
    each = 0 if is_text(task) else each
    question = QUESTION.get(metric, SHORT_QUESTION)
    answer = 0.0 if is_ranked else min(allowed, ANSWER.get(metric, SHORT_ANSWER))
    return [
        Prompts(count, question * (1 + ways * k), each * (1 + ways * k), answer) for k in task.shots
    ]


def evaluation_seconds(run: Run, stage: str, gpu: Gpu, used: float) -> float:
    """Seconds of one GPU for all tasks that a stage's result is asked."""
    sizes = _sizes_of(run, stage)
    seeds = max(1, len(run.evaluation.shot_seeds))
    every = [
        (one, seeds if k else 1)
        for name in asked_tasks(run, "encoder" in run.stages[stage].parts)
        for k, one in zip(
            run.evaluation.tasks[name].shots,
            prompts_of(run.evaluation.tasks[name], run.evaluation.limit),
            strict=True,
        )
    ]
    width = 2 if run.evaluation.precision == "bf16" else 4
    batch = run.evaluation.batch, run.evaluation.batch_tokens
    return sum(times * _seconds(one, sizes, gpu, used, width, batch) for one, times in every)


def measures_seconds(run: Run, stage: str, gpu: Gpu, used: float) -> float:
    """Seconds of one GPU for the measures of a stage's result: every document is read once by
    each of alignment, both losses in context, the loss on each corpus, and drift by two models."""
    sizes = _sizes_of(run, stage)
    sees = "encoder" in run.stages[stage].parts
    corpora = len(run.stages[stage].blend.corpora)
    one = Prompts(run.measures.documents, TEXT, 4 if sees else 0, 0.0)
    text = Prompts(run.measures.documents, TEXT, 0, 0.0)
    width, batch = 4, (1, run.stages[stage].length)
    seen = (corpora + 3) * _seconds(one, sizes, gpu, used, width, batch)
    return seen + 2 * _seconds(text, sizes, gpu, used, width, batch)


def _seconds(
    one: Prompts, sizes: Sizes, gpu: Gpu, used: float, width: int, batch: tuple[int, int]
) -> float:
    length = one.text + one.pictures * sizes.visual
    reading = length * (2 * sizes.blocks + sizes.attention * length / 2) + 2 * sizes.head
    reading += one.pictures * sizes.picture
    together = max(1.0, min(batch[0], batch[1] / max(1.0, length), one.count))
    # Each step reads all weights, and the keys and values of every prompt in the batch.
    step = width * ((sizes.blocks + sizes.head) / together + sizes.keys * length)
    return one.count * (reading / (gpu.flops * used) + one.answer * step / gpu.bandwidth)


def _sizes_of(run: Run, stage: str) -> Sizes:
    sees = "encoder" in run.stages[stage].parts
    return _sizes(run.llm, run.encoder if sees else None, run.projector if sees else None)


@cache
def _sizes(llm: Llm, encoder: Encoder | None, projector: Projector | None) -> Sizes:
    config = llm_config(llm)
    head = config.hidden_size * config.vocab_size
    heads, layers = config.num_attention_heads, config.num_hidden_layers
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    picture, visual = 0.0, 0
    with torch.device("meta"):
        net = blank_llm(config)
        if encoder is not None and projector is not None:
            tower = blank_encoder(encoder)
            joint = build_projector(projector, tower.width, net.width, encoder.image_policy)
            each = VisionLanguageModel(tower, joint, net).tokens_per_view
            picture = 2.0 * (_weights(tower) * tower.tokens + _weights(joint) * each)
            tokens = image_tokens(build_transform(encoder, tower), each)
            visual = each
            if not isinstance(tokens, int):
                visual = tokens(PICTURE)
                picture *= tokens.tiling.views(PICTURE)
    tables = 1 if config.tie_word_embeddings else 2
    return Sizes(
        blocks=_weights(net) - tables * head,
        head=head,
        attention=4.0 * heads * width * layers,
        keys=2.0 * (getattr(config, "num_key_value_heads", None) or heads) * width * layers,
        picture=picture,
        visual=visual,
    )


def _weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
