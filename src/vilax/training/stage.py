"""One stage, from its inputs to a published result: build, train, verify what was frozen, save."""

import shutil
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from vilax.artifacts.files import write_json
from vilax.artifacts.identity import sources_hash
from vilax.artifacts.run_record import MetricsWriter, write_run_json
from vilax.artifacts.store import Claim, Entry, Store
from vilax.artifacts.weights import save_weights
from vilax.config.locate import store_dir
from vilax.config.schema.run import Run
from vilax.data.feed import Feed
from vilax.data.prompt import PromptEncoder
from vilax.models.freeze import fingerprint, merge_adapters, parts_of
from vilax.models.vlm import VisionLanguageModel
from vilax.training.build import build_model, freeze_model
from vilax.training.features import FeatureSource
from vilax.training.module import StageModule, TrainingStopped
from vilax.training.recipe import (
    SOURCES,
    find_stage,
    parent_of,
    stage_identity,
    stage_inputs,
    stage_seed,
    started_from,
)
from vilax.training.resume import Resume
from vilax.training.seeding import derive, seed_all
from vilax.training.sight import sight_of
from vilax.training.steps import StepLoader, numbers_of, stream_builder
from vilax.training.strategy import build_trainer, device_of, shard_model, start_processes
from vilax.training.watch import CONSOLE, StageBar, parts_table
from vilax.training.weights import load_parts, part_tensors, save_parts

QUARANTINE = "quarantine.jsonl"
"""Documents that were set aside or mended, beside the stage's weights."""


class FrozenChanged(RuntimeError):
    """A frozen part is not bit-identical after its stage: the result is thrown away."""


def run_stage(
    run: Run, name: str, visible: bool = True, callbacks: tuple[Callback, ...] = ()
) -> Entry:
    """Train a stage, or return the store's result where it has been trained before.

    The stages before it are run first where the store lacks them. Under several processes rank 0
    holds the claim; all ranks train.

    Args:
        run: the validated configuration.
        name: a stage of ``run.order``.
        visible: show the table of parts and a progress bar on stderr.
        callbacks: further Lightning callbacks, for measurements.

    Raises:
        TrainingStopped: a step without supervision, or a loss that is not a number.
        FrozenChanged: a frozen part changed.
    """
    parent_name = parent_of(run, name)
    if parent_name is not None:
        parent: Entry | None = run_stage(run, parent_name, visible, callbacks)
    else:
        parent = None if run.start is None else started_from(run)
    rank, world = start_processes(run.trainer)
    store = Store(store_dir())
    identity = stage_identity(run, name)
    found = find_stage(run, name) if rank == 0 else None
    if not _agree(found is None, world):
        if visible and rank == 0:
            CONSOLE.print(f"stage {name}: reused {identity[:12]}")
        return found or store.get("stage", identity)
    if rank > 0:
        folder = _share(None, world)
        if folder is not None:
            _train(run, name, parent, Path(folder), None, visible, callbacks)
        dist.barrier()
        return store.get("stage", identity)
    with store.claim("stage", identity, stage_inputs(run, name)) as claim:
        # Another run may have published it while this one waited for the claim.
        is_made = claim.entry is not None
        _share(None if is_made else str(claim.folder), world)
        if not is_made:
            claim.publish(_train(run, name, parent, claim.folder, claim, visible, callbacks))
    if world > 1:
        dist.barrier()
    return store.get("stage", identity)


def _agree(value: bool, world: int) -> bool:
    return bool(_share(value, world))


def _share(value: Any, world: int) -> Any:
    """Rank 0's value, on every rank."""
    if world == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def _train(
    run: Run,
    name: str,
    parent: Entry | None,
    folder: Path,
    claim: Claim | None,
    visible: bool,
    callbacks: tuple[Callback, ...],
) -> dict[str, Any]:
    began = time.time()
    torch.set_num_threads(run.stages[name].threads)
    stage = run.stages[name]
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    seed = stage_seed(run, stage)
    device = device_of(run.trainer)
    seed_all(derive(seed, name))
    model, tokenizer = build_model(run, stage.parts, seed, device)
    inherited = [] if parent is None else load_parts(model, parent.folder)
    plan = freeze_model(model, run, name)
    if run.trainer.activation_checkpointing:
        model.llm.checkpoint_activations()
    if visible and rank == 0:
        CONSOLE.print(parts_table(name, model, plan, model.llm.attention))

    sight = sight_of(run, model, plan["encoder"].mode == "frozen")
    encoder = PromptEncoder(tokenizer, sight.tokens)
    build = stream_builder(
        run, stage, encoder, derive(seed, name, "data"), folder / QUARANTINE, sight.prepare
    )
    rows = stage.batch // stage.blend.streams
    feed = Feed(build, numbers_of(stage, rank, world), rows, run.trainer.workers)
    # Processes run the same parts in every step; and a loss needs something trained behind it.
    needs_picture = world > 1 or plan["llm"].mode == "frozen"
    dummy = sight.dummy if needs_picture else None
    loader = StepLoader(feed, run.trainer.micro_rows, sight.visual, dummy)
    metrics = MetricsWriter(folder / "metrics.jsonl")
    bar = StageBar(name, visible and rank == 0)

    def on_step(module: StageModule, row: dict[str, Any]) -> None:
        speed = row["supervised_per_second"]
        seen = loader.counts()
        row["data"] = {"read": seen.read, "set_aside": seen.bad, "mended": seen.mended}
        row["data"] |= {"split": seen.split, "dropped": sum(seen.dropped.values())}
        bar.update(row["share"], row["loss"], speed, row["data_wait"], seen.bad)
        is_due = row["step"] % run.trainer.log_steps == 0 or row["share"] >= 1.0
        if rank == 0 and (is_due or "measured" in row):
            metrics.write(row)

    module = StageModule(
        model,
        stage,
        plan,
        list(stage.blend.corpora),
        sight.normalise,
        # What gives features, and no pixels to be normalised, calls the encoder itself.
        partial(shard_model, run.trainer, sight.normalise is None),
        run.trainer.reduce_once,
        run.kernels.loss_chunk,
        on_step,
    )
    resume = Resume(folder / "resume", loader, metrics, run.trainer.checkpoint_seconds)
    proof = FrozenProof()
    trainer = build_trainer(run.trainer, [resume, proof, *callbacks])
    # After the model's own seeds: dropout differs between ranks, as the data does.
    seed_all(derive(seed, name, "train", rank))
    try:
        with bar:
            trainer.fit(module, train_dataloaders=loader)
    finally:
        feed.close()
        if isinstance(sight.visual, FeatureSource):
            sight.visual.flush()
    if module.progress.used(stage) < 1.0:
        raise KeyboardInterrupt
    proof.verify(model)

    adapters = merge_adapters(model)
    trained = {p: m for p, m in parts_of(model).items() if plan[p].mode != "frozen"}
    tensors = {part: part_tensors(m) for part, m in trained.items()}
    if claim is None:
        return {}
    saved = save_parts(tensors, None if parent is None else parent.folder, claim.result)
    if adapters:
        save_adapters(adapters, claim.result)
    done = module.progress
    counts = {"tokens": done.tokens, "supervised": done.supervised}
    counts |= {"documents": done.documents, "images": done.images, "steps": done.step}
    shutil.copyfile(metrics.path, claim.result / "metrics.jsonl")
    if (folder / QUARANTINE).exists():
        shutil.copyfile(folder / QUARANTINE, claim.result / QUARANTINE)
    summary = {
        "name": name,
        "parts": saved,
        "inherited": inherited,
        "frozen_sha256": proof.before,
        "counts": counts,
        "supervised_by_corpus": done.by_corpus,
        "data": {
            str(index): {corpus: asdict(counts) for corpus, counts in corpora.items()}
            for index, corpora in feed.counts.items()
        },
        "seconds": resume.seconds_before + time.time() - began,
    }
    write_json(claim.result / "stage.json", summary)
    write_run_json(
        claim.result / "run.json",
        config=run.model_dump(mode="json"),
        lineage={} if parent is None else {"parent": parent.identity},
        seeds={"run": run.seed, "stage": seed},
        data=stage_inputs(run, name)["data"],
        timings={"seconds": summary["seconds"]},
    )
    return {"name": name, "sources": sources_hash(SOURCES), **counts} | {
        "seconds": summary["seconds"],
        "parent": None if parent is None else parent.identity,
    }


def save_adapters(adapters: dict[str, Tensor], folder: Path) -> None:
    """Write the adapters of a stage beside the weights that they were merged into."""
    whole = {name: tensor.cpu().contiguous() for name, tensor in adapters.items()}
    save_weights(whole, folder / "adapter.safetensors")


class FrozenProof(Callback):
    """Hashes of everything frozen, taken where training begins and compared where it ends."""

    def __init__(self) -> None:
        self.before: dict[str, str] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Hash each part's frozen tensors, after sharding."""
        assert isinstance(pl_module, StageModule)
        self.before = {n: fingerprint(m) for n, m in parts_of(pl_module.model).items()}

    def verify(self, model: VisionLanguageModel) -> None:
        """Compare.

        Raises:
            FrozenChanged: naming the parts that are not bit-identical.
        """
        changed = [n for n, m in parts_of(model).items() if fingerprint(m) != self.before[n]]
        if changed:
            raise FrozenChanged(f"frozen weights changed during training in: {', '.join(changed)}")


__all__ = ["FrozenChanged", "TrainingStopped", "run_stage"]
