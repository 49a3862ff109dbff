"""The nodes of a comparison's graph: prepare data, encode pictures, train a stage, evaluate it."""

from collections.abc import Sequence
from typing import Any

from vilax.artifacts.identity import identity, sources_hash
from vilax.artifacts.run_record import write_run_json
from vilax.artifacts.store import Entry, Store
from vilax.config.locate import cache_dir, store_dir
from vilax.config.schema.run import Run
from vilax.evaluation.identity import (
    SOURCES,
    asked_tasks,
    evaluation_inputs,
    evaluation_seed,
    folder_fingerprint,
)
from vilax.micro import corpora
from vilax.training.recipe import run_recipe, stage_identity, stages_of
from vilax.training.sources import MICRO, corpus_config, corpus_path


def prepare_data(run: Run) -> None:
    """Build the micro corpora that the run's stages and its evaluation read."""
    paths = [
        corpus_config(run, name).path
        for stage in stages_of(run)
        for name in run.stages[stage].blend.corpora
    ]
    for path in dict.fromkeys([*paths, run.evaluation.data]):
        if path.startswith(MICRO):
            corpus_path(run, path)


def encode_pictures(run: Run) -> None:
    """Fill the feature cache with every distinct picture of the run's corpora and evaluation."""
    from vilax.data.document import Image
    from vilax.data.formats import open_corpus
    from vilax.evaluation.items import split_folder
    from vilax.training.build import build_encoder, build_transform
    from vilax.training.features import ENCODE_BATCH, FeatureSource, picture_key
    from vilax.training.watch import picture_bar

    if not run.features.cache:
        return
    encoder = build_encoder(run.encoder)
    source = FeatureSource(encoder, build_transform(run.encoder, encoder), cache_dir())
    pictures: dict[str, bytes] = {}
    for stage in stages_of(run):
        for name in run.stages[stage].blend.corpora:
            corpus = corpus_config(run, name)
            reader = open_corpus(name, corpus_path(run, corpus.path), corpus.format)
            for index in range(len(reader)):
                for segment in reader[index].segments:
                    if isinstance(segment, Image):
                        pictures.setdefault(picture_key(segment.data), segment.data)
    asked = split_folder(corpus_path(run, run.evaluation.data), evaluation_seed(run))
    for file in sorted((asked / "images").glob("*")):
        data = file.read_bytes()
        pictures.setdefault(picture_key(data), data)
    every = list(pictures.values())
    with picture_bar(len(every)) as advance:
        for start in range(0, len(every), ENCODE_BATCH):
            some = every[start : start + ENCODE_BATCH]
            source(some)
            advance(len(some))
    source.flush()


def train_stage(run: Run, stage: str) -> Entry:
    """Train or reuse one stage, without a bar of its own."""
    from vilax.training.stage import run_stage

    return run_stage(run, stage, visible=False)


def has_images(run: Run, stage: str) -> bool:
    """Whether a stage's model sees pictures."""
    return "encoder" in run.stages[stage].parts


def evaluation_identity(run: Run, stage: str) -> str:
    """The identity of a stage's evaluation in the store."""
    return identity(_evaluation_inputs(run, stage))


def _evaluation_inputs(run: Run, stage: str) -> dict[str, Any]:
    return evaluation_inputs(
        run, stage, stage_identity(run, stage), data_print(run), has_images(run, stage)
    )


def data_print(run: Run) -> str:
    """Fingerprint of the evaluation data."""
    if run.evaluation.data.startswith(MICRO):
        return f"{run.evaluation.data} {corpora.fingerprint(run.micro)}"
    return folder_fingerprint(corpus_path(run, run.evaluation.data))


def find_evaluation(run: Run, stage: str) -> Entry | None:
    """A stage's evaluation, where the store has it.

    Raises:
        StaleSource: it was made by other source code than today's at equal version numbers.
    """
    sources = sources_hash(SOURCES)
    store = Store(store_dir())
    return store.find("evaluation", evaluation_identity(run, stage), sources, run.store.trust)


def evaluate_stage(run: Run, stage: str, visible: bool = False) -> Entry:
    """Evaluate one stage's result, or return the store's evaluation of it."""
    found = find_evaluation(run, stage)
    if found is not None:
        return found
    from vilax.evaluation.runner import Subject, evaluate, set_threads
    from vilax.training.load import load_result

    trained = train_stage(run, stage)
    set_threads(run.evaluation.threads)
    inputs = _evaluation_inputs(run, stage)
    tasks = asked_tasks(run, has_images(run, stage))
    data = corpus_path(run, run.evaluation.data)
    with Store(store_dir()).claim("evaluation", identity(inputs), inputs) as claim:
        if claim.entry is not None:
            return claim.entry
        subject = Subject(*load_result(run, trained, stage))
        seed, to = evaluation_seed(run), claim.result
        evaluate(subject, run.evaluation, tasks, data, seed, to, trained.identity, visible)
        write_run_json(
            claim.result / "run.json",
            config=run.model_dump(mode="json"),
            lineage={"stage": trained.identity},
            seeds={"run": run.seed, "shots": seed},
            data={"evaluation": data_print(run)},
        )
        meta = {"name": stage, "stage": trained.identity, "sources": sources_hash(SOURCES)}
        return claim.publish(meta)


def evaluate_recipe(run: Run) -> tuple[Sequence[Entry], Entry]:
    """Train or reuse a recipe and evaluate its last stage."""
    entries = run_recipe(run)
    return entries, evaluate_stage(run, stages_of(run)[-1], visible=True)
