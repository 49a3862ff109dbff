"""Measures of a stage's result, stored beside its evaluations: adding one asks no task again."""

from typing import Any

from vilax.artifacts.files import write_json
from vilax.artifacts.identity import identity, science_dump, sources_hash, versions
from vilax.artifacts.run_record import write_run_json
from vilax.artifacts.store import Entry, Store
from vilax.config.errors import ConfigError
from vilax.config.locate import store_dir
from vilax.config.schema.data import Template
from vilax.config.schema.model import ScratchLlm
from vilax.config.schema.run import Run
from vilax.data.document import Document
from vilax.training.recipe import find_stage, stage_identity
from vilax.training.sources import corpus_config, held_out_path, held_out_print, open_held_out

SOURCES = (
    "vilax.evaluation.measures",
    "vilax.evaluation.subject",
    "vilax.models",
    "vilax.data.prompt",
    "vilax.data.templates",
)
"""Modules whose source shapes measures."""

PAGES, TEXT = "pages", "text"
"""Corpora that the in-context curves and the perplexity are measured on."""

FILE = "measures.json"


def measured_corpora(run: Run, stage: str) -> list[str]:
    """Corpora of the pretraining blend, or of the stage where the recipe has no such stage.

    A stage with pictures is measured on them before they are trained on too, so that stages before
    and after stand beside each other.
    """
    sees = "encoder" in run.stages[stage].parts
    order = run.order if sees else run.order[: run.order.index(stage) + 1]
    return list(run.stages["pretrain" if "pretrain" in order else stage].blend.corpora)


def measures_identity(run: Run, stage: str, trained: str | None = None) -> str:
    """The identity of a stage's measures in the store."""
    return identity(_inputs(run, stage, trained or stage_identity(run, stage)))


def find_measures(run: Run, stage: str, trained: str | None = None) -> Entry | None:
    """A stage's measures, where the store has them.

    Raises:
        StaleSource: they were made by other source code than today's at equal version numbers.
    """
    name = measures_identity(run, stage, trained)
    return Store(store_dir()).find("measures", name, sources_hash(SOURCES), run.store.trust)


def _base_stage(run: Run) -> str | None:
    """The stage that makes the base LLM; None where it comes with its weights."""
    return run.order[0] if isinstance(run.llm, ScratchLlm) else None


def _inputs(run: Run, stage: str, trained: str) -> dict[str, Any]:
    names = dict.fromkeys([*measured_corpora(run, stage), PAGES, TEXT])
    base = _base_stage(run)
    return {
        "kind": "measures",
        "name": stage,
        "stage_identity": trained,
        "settings": science_dump(run.measures),
        "data": {n: held_out_print(run, n) for n in names if held_out_path(run, n) is not None},
        "base": science_dump(run.llm) if base is None else stage_identity(run, base),
        "versions": versions(("measures", "prompt"), run.encoder.image_policy),
    }


def measure_stage(run: Run, stage: str) -> Entry:
    """Measure one stage's result, or return the store's measures of it."""
    found = find_measures(run, stage)
    if found is not None:
        return found
    trained = find_stage(run, stage)
    if trained is None:
        raise ConfigError(f"stage {stage} has not been trained, so there is nothing to measure")
    return measure_entry(run, stage, trained)


def measure_entry(run: Run, stage: str, trained: Entry) -> Entry:
    """Measure a stored result.

    What cannot be measured is named in ``missing`` with the reason, and the rest is measured.
    """
    inputs = _inputs(run, stage, trained.identity)
    with Store(store_dir()).claim("measures", identity(inputs), inputs) as claim:
        if claim.entry is not None:
            return claim.entry
        write_json(claim.result / FILE, _measure(run, stage, trained))
        write_run_json(
            claim.result / "run.json",
            config=run.model_dump(mode="json"),
            lineage={"stage": trained.identity},
            seeds={"run": run.seed},
            data=inputs["data"],
        )
        meta = {"name": stage, "stage": trained.identity, "sources": sources_hash(SOURCES)}
        return claim.publish(meta)


def _measure(run: Run, stage: str, trained: Entry) -> dict[str, Any]:
    from vilax.evaluation import measures
    from vilax.evaluation.runner import set_threads
    from vilax.evaluation.subject import Subject
    from vilax.training.load import load_result

    set_threads(run.evaluation.threads)
    subject = Subject(*load_result(run, trained, stage))
    settings = run.measures
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}

    def read(name: str) -> tuple[list[Document], Template]:
        return read_held_out(run, name)

    def attempt(name: str, is_asked: bool, measure: Any) -> None:
        if is_asked:
            try:
                found[name] = measure()
            except (ConfigError, ValueError) as error:
                missing[name] = str(error)

    def context(of: Any) -> Any:
        return lambda: of(measures.losses(subject, *read(PAGES)))

    def aligned() -> dict[str, Any]:
        return measures.alignment(subject, *read(measured_corpora(run, stage)[0]))

    def each_corpus() -> dict[str, Any]:
        every = {n: measures.losses(subject, *read(n)) for n in measured_corpora(run, stage)}
        return {name: {"loss": one.mean, "tokens": len(one.nll)} for name, one in every.items()}

    def drifted() -> dict[str, Any]:
        return measures.drift(subject, _base(run), read(TEXT)[0])

    sees = subject.features is not None
    attempt("alignment", settings.alignment and sees, aligned)
    attempt("loss_by_position", settings.context and sees, context(measures.by_position))
    attempt("loss_by_images", settings.context and sees, context(measures.by_pictures))
    attempt("held_out", settings.held_out, each_corpus)
    attempt("text_drift", settings.drift, drifted)
    return found | {"missing": missing}


def read_held_out(run: Run, name: str) -> tuple[list[Document], Template]:
    """The first held-out documents of a corpus, and its template.

    Raises:
        ConfigError: the corpus has none.
    """
    reader = open_held_out(run, name)
    count = min(run.measures.documents, len(reader))
    return [reader[index] for index in range(count)], corpus_config(run, name).template


def _base(run: Run) -> Any:
    """The LLM that the recipe was given."""
    from vilax.evaluation.subject import Subject
    from vilax.training.build import build_model
    from vilax.training.load import load_result
    from vilax.training.strategy import device_of

    name = _base_stage(run)
    if name is not None:
        entry = find_stage(run, name)
        if entry is None:
            raise ConfigError(f"stage {name}, the base LLM, is not in the store")
        return Subject(*load_result(run, entry, name))
    model, tokenizer = build_model(run, ("llm",), run.seed, device_of(run.trainer))
    model.eval().requires_grad_(False)
    return Subject(model.to(device_of(run.trainer)), tokenizer, None)
