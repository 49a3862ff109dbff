"""The nodes of a comparison's graph: prepare data, encode pictures, train a stage, evaluate it."""

import contextlib
from pathlib import Path
from typing import Any

from vilax.artifacts.identity import identity, sources_hash
from vilax.artifacts.run_record import write_run_json
from vilax.artifacts.store import Entry, Store
from vilax.config.errors import ConfigError
from vilax.config.locate import cache_dir, store_dir
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.run import Run
from vilax.evaluation.identity import (
    SOURCES,
    asked_tasks,
    data_print,
    evaluation_inputs,
    evaluation_seed,
    folder_fingerprint,
)
from vilax.micro import corpora
from vilax.training.recipe import find_stage, stage_identity, stages_of
from vilax.training.sources import MICRO, corpus_config, corpus_path, open_reader


def prepare_data(run: Run) -> None:
    """Build the micro corpora that the run's stages and its evaluation read."""
    paths = [
        corpus_config(run, name).path
        for stage in stages_of(run)
        for name in run.stages[stage].blend.corpora
    ]
    asked = [run.evaluation.data] if asks_world(run) else []
    for path in dict.fromkeys([*paths, *asked]):
        if path.startswith(MICRO):
            corpus_path(run, path)


def encode_pictures(run: Run) -> None:
    """Fill the feature cache with every distinct picture of the run's corpora and evaluation."""
    from vilax.data.document import Image
    from vilax.data.formats import BadSample
    from vilax.data.pictures import Checked
    from vilax.evaluation.items import split_folder
    from vilax.training.build import build_encoder, build_transform
    from vilax.training.features import ENCODE_BATCH, FeatureSource, picture_key
    from vilax.training.watch import picture_bar

    if not run.features.cache:
        return
    checked = Checked()
    encoder = build_encoder(run.encoder)
    source = FeatureSource(encoder, build_transform(run.encoder, encoder), cache_dir())
    pictures: dict[str, bytes] = {}
    for stage in stages_of(run):
        for name in run.stages[stage].blend.corpora:
            reader = open_reader(run, name)
            for index in range(len(reader)):
                with contextlib.suppress(BadSample):
                    # The stream sets broken documents aside, and says so.
                    for segment in reader[index].segments:
                        if isinstance(segment, Image):
                            pictures.setdefault(picture_key(segment.data), checked(segment.data)[0])
    if asks_world(run):
        asked = split_folder(corpus_path(run, run.evaluation.data), evaluation_seed(run))
        for file in sorted((asked / "images").glob("*")):
            data = file.read_bytes()
            pictures.setdefault(picture_key(data), data)
    every = list(pictures.values())
    with picture_bar(len(every)) as advance:
        for start in range(0, len(every), ENCODE_BATCH):
            some = every[start : start + ENCODE_BATCH]
            source.encode(some)
            advance(len(some))
    source.flush()


def train_stage(run: Run, stage: str) -> Entry:
    """Train or reuse one stage, without a bar of its own, in the processes its trainer wants."""
    from vilax.ablation.ranks import train_in_ranks, wants_ranks
    from vilax.ablation.while_training import measuring
    from vilax.training.stage import run_stage

    if wants_ranks(run):
        if find_stage(run, stage) is None:
            train_in_ranks(run, stage)
        return Store(store_dir()).get("stage", stage_identity(run, stage))
    return run_stage(run, stage, visible=False, callbacks=measuring(run))


def has_images(run: Run, stage: str) -> bool:
    """Whether a stage's model sees pictures."""
    return "encoder" in run.stages[stage].parts


def asks_world(run: Run) -> bool:
    """Whether a task reads the micro world's evaluation data."""
    return any(not isinstance(task, BenchmarkTask) for task in run.evaluation.tasks.values())


def evaluation_identity(run: Run, stage: str) -> str:
    """The identity of a stage's evaluation in the store."""
    return identity(_inputs(run, stage, stage_identity(run, stage)))


def _inputs(run: Run, stage: str, trained: str) -> dict[str, Any]:
    return evaluation_inputs(
        run, stage, trained, data_print(run, _world_print(run)), has_images(run, stage)
    )


def _world_print(run: Run) -> str | None:
    if not asks_world(run):
        return None
    if run.evaluation.data.startswith(MICRO):
        return f"{run.evaluation.data} {corpora.fingerprint(run.micro)}"
    return folder_fingerprint(corpus_path(run, run.evaluation.data))


def find_evaluation(run: Run, stage: str, trained: str | None = None) -> Entry | None:
    """A stage's evaluation, where the store has it.

    Args:
        run: whose evaluation settings are asked.
        stage: name of the stage.
        trained: identity of the stage's result; None: that which the run would train.

    Raises:
        StaleSource: it was made by other source code than today's at equal version numbers.
    """
    inputs = _inputs(run, stage, trained or stage_identity(run, stage))
    sources = sources_hash(SOURCES)
    return Store(store_dir()).find("evaluation", identity(inputs), sources, run.store.trust)


def evaluate_stage(run: Run, stage: str, visible: bool = False) -> Entry:
    """Evaluate one stage's result, or return the store's evaluation of it."""
    return find_evaluation(run, stage) or evaluate_entry(
        run, stage, train_stage(run, stage), visible
    )


def evaluate_entry(run: Run, stage: str, trained: Entry, visible: bool = False) -> Entry:
    """Evaluate a stored result; the processes that a launcher has started share the items.

    A killed evaluation goes on from the answers that it has written.

    Args:
        run: whose evaluation settings are asked, and whose model the result is.
        stage: name of the stage.
        trained: its result.
        visible: show a progress bar on stderr.

    Raises:
        ConfigError: the data lack what a task needs.
    """
    from vilax.evaluation.evaluate import evaluate
    from vilax.evaluation.open_tasks import check_files
    from vilax.evaluation.peers import join_peers
    from vilax.evaluation.runner import set_threads
    from vilax.evaluation.subject import Subject
    from vilax.training.load import load_result

    tasks = asked_tasks(run, has_images(run, stage))
    if not tasks:
        raise ConfigError(
            f"evaluation.tasks: none of {', '.join(run.evaluation.tasks) or 'no task'} can be asked"
            f" of stage {stage}, whose model sees no pictures"
        )
    check_files(run.evaluation, tasks)
    set_threads(run.evaluation.threads)
    inputs = _inputs(run, stage, trained.identity)
    store, name = Store(store_dir()), identity(inputs)
    peers = join_peers()
    data = corpus_path(run, run.evaluation.data) if asks_world(run) else None
    made_by, seed = sources_hash(SOURCES), evaluation_seed(run)

    def ask(work: Path, folder: Path) -> None:
        subject = Subject(*load_result(run, trained, stage))
        evaluate(
            subject,
            run.evaluation,
            tasks,
            data,
            seed,
            folder,
            trained.identity,
            work=work / "answers",
            made_by=made_by,
            peers=peers,
            visible=visible,
        )

    if peers.rank:
        if not peers.agree(True):
            work = store.work("evaluation", name)
            ask(work, work)
        peers.wait()
        return store.get("evaluation", name)
    with store.claim("evaluation", name, inputs) as claim:
        if peers.agree(claim.entry is not None):
            assert claim.entry is not None
            peers.wait()
            return claim.entry
        ask(claim.folder, claim.result)
        write_run_json(
            claim.result / "run.json",
            config=run.model_dump(mode="json"),
            lineage={"stage": trained.identity},
            seeds={"run": run.seed, "shots": list(run.evaluation.shot_seeds or (seed,))},
            data={"evaluation": inputs["data"]},
        )
        meta = {"name": stage, "stage": trained.identity, "sources": made_by}
        entry = claim.publish(meta)
    peers.wait()
    return entry
