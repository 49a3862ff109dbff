"""The nodes of a comparison's graph: prepare data, encode pictures, train a stage, evaluate it."""

from collections.abc import Sequence

from vilax.artifacts.store import Entry
from vilax.config.locate import cache_dir
from vilax.config.schema.run import Run
from vilax.training.recipe import run_recipe, stages_of
from vilax.training.sources import MICRO, corpus_config, corpus_path


def prepare_data(run: Run) -> None:
    """Build the micro corpora that the run's stages and evaluation read; nothing at other scales."""
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
    folder = corpus_path(run, run.evaluation.data) / "images"
    for file in sorted(folder.glob("*")):
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


def evaluation_identity(run: Run, stage: str) -> str:
    """The identity of a stage's evaluation in the store."""
    from vilax.evaluation.identity import evaluation_identity as identity_of
    from vilax.training.recipe import stage_identity

    return identity_of(run, stage_identity(run, stage), data_print(run))


def data_print(run: Run) -> str:
    """Fingerprint of the evaluation data."""
    from vilax.evaluation.identity import folder_fingerprint
    from vilax.micro import corpora

    if run.evaluation.data.startswith(MICRO):
        return f"{run.evaluation.data} {corpora.fingerprint(run.micro)}"
    return folder_fingerprint(corpus_path(run, run.evaluation.data))


def evaluate_stage(run: Run, stage: str) -> Entry:
    """Evaluate one stage's result, or return the store's evaluation of it."""
    from vilax.evaluation.runner import evaluate_run
    from vilax.training.load import load_result

    entry = train_stage(run, stage)
    return evaluate_run(
        run, entry, stage, load=load_result, data=corpus_path(run, run.evaluation.data)
    )


def evaluate_recipe(run: Run) -> tuple[Sequence[Entry], Entry]:
    """Train or reuse a recipe and evaluate its last stage."""
    entries = run_recipe(run)
    return entries, evaluate_stage(run, stages_of(run)[-1])
