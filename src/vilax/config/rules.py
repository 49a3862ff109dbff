"""Pairs of settings that cannot go together, found before any weight is loaded."""

import math
from collections.abc import Iterator
from pathlib import Path

from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.execution import Trainer
from vilax.config.schema.model import (
    AveragePoolProjector,
    DownsampleProjector,
    FusedEncoder,
    MlpDownsampleProjector,
    PixelShuffleProjector,
    ScratchLlm,
    TransformerProjector,
)
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.config.tile_rules import tile_faults


def check_rules(run: Run) -> None:
    """Refuse the first impossible pair.

    Raises:
        ConfigError: naming both keys, their values and what would fit.
    """
    for message in (*_model(run), *tile_faults(run)):
        raise ConfigError(message)
    if run.until is not None and run.until not in run.order:
        raise unknown("stage in until", run.until, run.order)
    if run.trainer.strategy == "single" and run.trainer.devices * run.trainer.nodes > 1:
        raise ConfigError(
            f"trainer.devices={run.trainer.devices} with trainer.strategy=single:"
            " expected 1, or trainer=ddp or trainer=fsdp"
        )
    for message in _sharding(run.trainer):
        raise ConfigError(message)
    twice = [name for name in run.order if run.order.count(name) > 1]
    if twice:
        raise ConfigError(f"order={list(run.order)}: expected {twice[0]} once, not twice")
    for message in _tasks(run):
        raise ConfigError(message)
    for name in run.order:
        for message in _stage(run, name, run.stages[name]):
            raise ConfigError(message)


def _sharding(trainer: Trainer) -> Iterator[str]:
    if trainer.strategy != "fsdp":
        for key in ("shard_degree", "offload", "reduce_once"):
            value = getattr(trainer, key)
            if value:
                yield (
                    f"trainer.{key}={str(value).lower()} with trainer.strategy={trainer.strategy}:"
                    " expected trainer=fsdp"
                )
    world = trainer.devices * trainer.nodes
    if trainer.shard_degree and world % trainer.shard_degree:
        yield (
            f"trainer.shard_degree={trainer.shard_degree} with {world} processes:"
            " expected a divisor of their number"
        )


def _tasks(run: Run) -> Iterator[str]:
    for name, task in run.evaluation.tasks.items():
        where = f"evaluation.tasks.{name}"
        if not task.shots or min(task.shots) < 0:
            yield (
                f"{where}.shots={list(task.shots)}:"
                " expected at least one number of examples, each at least 0"
            )
        if not isinstance(task, BenchmarkTask):
            continue
        is_bare = task.few_shot is None and task.binding is None
        if max(task.shots, default=0) > 0 and is_bare:
            yield f"{where}.shots={list(task.shots)} without few_shot: expected [0], or few_shot"
        if task.subtitles is not None and task.video is None:
            yield f"{where}.subtitles without video: expected both"


def _model(run: Run) -> Iterator[str]:
    llm, encoder, projector = run.llm, run.encoder, run.projector
    if isinstance(llm, ScratchLlm) and llm.hidden_size % llm.num_attention_heads:
        yield (
            f"llm.hidden_size={llm.hidden_size} with llm.num_attention_heads="
            f"{llm.num_attention_heads}: expected a width that the heads divide"
        )
    if encoder.class_token and encoder.grid is not None:
        yield (
            f"encoder.class_token=true with encoder.grid={encoder.grid}:"
            " a pooled grid has no class token; set one of them to its default"
        )
    yield from _scales(run)
    joins = DownsampleProjector | MlpDownsampleProjector | PixelShuffleProjector
    if isinstance(projector, joins | AveragePoolProjector):
        if encoder.grid is not None and projector.factor > encoder.grid:
            yield (
                f"projector.factor={projector.factor} with encoder.grid={encoder.grid}:"
                " expected a factor of at most the grid's side"
            )
        if encoder.class_token:
            yield (
                f"projector.kind={projector.kind} with encoder.class_token=true:"
                " neighbours are joined on a grid, in which a class token has no place"
            )
    if (
        isinstance(projector, TransformerProjector)
        and projector.width is not None
        and projector.width % projector.heads
    ):
        yield (
            f"projector.width={projector.width} with projector.heads={projector.heads}:"
            " expected a width that the heads divide"
        )


def _scales(run: Run) -> Iterator[str]:
    encoder = run.encoder
    if isinstance(encoder, FusedEncoder):
        if encoder.class_token:
            yield "encoder.members with class_token=true: expected false where grids are joined"
        return
    if not encoder.scales:
        return
    shown = f"encoder.scales={list(encoder.scales)}"
    if len(set(encoder.scales)) < 2 or any(s % min(encoder.scales) for s in encoder.scales):
        yield f"{shown}: expected two or more sides, all multiples of the smallest, as [384, 768]"
    if encoder.class_token:
        yield f"{shown} with encoder.class_token=true: tiles are joined to a grid without one"
    if encoder.image_size not in (None, max(encoder.scales)):
        yield f"{shown} with encoder.image_size={encoder.image_size}: expected the largest scale"


def _stage(run: Run, name: str, stage: Stage) -> Iterator[str]:
    where = f"stages.{name}"
    if ("encoder" in stage.parts) != ("projector" in stage.parts) or "llm" not in stage.parts:
        yield (
            f"{where}.parts={list(stage.parts)}: expected [llm] for a text-only stage,"
            " or [encoder, projector, llm]"
        )
    trained = [
        p for p in ("encoder", "projector", "llm") if getattr(stage.freeze, p).mode != "frozen"
    ]
    if not trained:
        yield f"{where}.freeze trains nothing: expected at least one part trained or adapted"
    for part in trained:
        if part not in stage.parts:
            yield (
                f"{where}.freeze.{part}.mode={getattr(stage.freeze, part).mode} but"
                f" {where}.parts={list(stage.parts)} has no {part}"
            )
        policy = getattr(stage.freeze, part)
        if policy.mode == "expert" and part != "llm":
            yield f"{where}.freeze.{part}.mode=expert: expected it of the llm alone"
        if policy.mode == "expert" and "encoder" not in stage.parts:
            yield (
                f"{where}.freeze.llm.mode=expert with {where}.parts={list(stage.parts)}: without"
                " pictures there is nothing for an expert to learn"
            )
        if policy.only and policy.mode != "trained":
            yield f"{where}.freeze.{part}.only with mode={policy.mode}: expected mode=trained"
    if stage.batch % stage.blend.streams:
        yield (
            f"{where}.batch={stage.batch} with {where}.blend.streams={stage.blend.streams}:"
            " expected a multiple"
        )
    world = run.trainer.devices * run.trainer.nodes
    if stage.blend.streams % world:
        yield (
            f"{where}.blend.streams={stage.blend.streams} with {world} processes:"
            " expected a multiple, so that every rank owns equally many streams"
        )
    if not stage.blend.corpora:
        yield f"{where}.blend.corpora is empty: expected at least one corpus with a weight"
    for corpus, weight in stage.blend.corpora.items():
        if not 0 < weight < math.inf:
            yield f"{where}.blend.corpora.{corpus}={weight}: expected a finite weight above 0"
        is_place = "://" in corpus or Path(corpus).expanduser().exists()
        if corpus not in run.corpora and not is_place:
            error = unknown("corpus", corpus, run.corpora)
            yield f"{where}.blend.corpora: {error} (or a path that exists)"
    if isinstance(run.llm, ScratchLlm) and stage.length > run.llm.max_position_embeddings:
        yield (
            f"{where}.length={stage.length} with llm.max_position_embeddings="
            f"{run.llm.max_position_embeddings}: expected at most that"
        )
