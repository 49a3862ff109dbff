"""A recipe: which stages a run has, what makes each of them itself, and running them in order."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilax.artifacts.identity import identity, science_dump, sources_hash, versions
from vilax.artifacts.store import Entry, Store, read_entry
from vilax.config.errors import unknown
from vilax.config.locate import store_dir
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.training.sources import corpus_settings, data_fingerprint

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

DATA_SOURCES = (
    "chat",
    "containers",
    "decoding",
    "derive",
    "document",
    "encoded",
    "energon",
    "engine",
    "formats",
    "images",
    "intake",
    "markup",
    "orientation",
    "packing",
    "pictures",
    "png",
    "prompt",
    "resampling",
    "selection",
    "signatures",
    "splitting",
    "templates",
    "tiles",
    "video",
)
"""Modules of ``vilax.data`` that shape rows; the tools beside them do not."""

SOURCES = (
    *(f"vilax.data.{name}" for name in DATA_SOURCES),
    "vilax.models",
    "vilax.training.build",
    "vilax.training.module",
    "vilax.training.optimisation",
    "vilax.training.seeding",
    "vilax.training.sources",
    "vilax.training.sight",
    "vilax.training.steps",
    "vilax.training.tiled",
)
"""Modules whose source shapes a stage's result; their hash is recorded with it."""

COMPONENTS = ("formats", "prompt", "engine", "packing", "llm", "freeze", "loss", "optimisation")
VISUAL_COMPONENTS = ("encoder", "projector")


def stages_of(run: Run) -> list[str]:
    """Names of the stages to run, in order, up to ``run.until``.

    Raises:
        ConfigError: ``run.until`` is not one of them.
    """
    order = list(run.order)
    if run.until is None:
        return order
    if run.until not in order:
        raise unknown("stage in until", run.until, order)
    return order[: order.index(run.until) + 1]


def parent_of(run: Run, name: str) -> str | None:
    """The stage before, whose weights this one starts from."""
    order = list(run.order)
    if name not in order:
        raise unknown("stage", name, order)
    at = order.index(name)
    return order[at - 1] if at else None


def stage_seed(run: Run, stage: Stage) -> int:
    """The stage's own seed, or the run's."""
    return run.seed if stage.seed is None else stage.seed


def stage_inputs(run: Run, name: str, with_data: bool = True) -> dict[str, Any]:
    """Everything that determines a stage's result, as JSON: what its identity hashes.

    Parts that the stage does not have are left out, so that runs which differ only in those share
    it. Seeds, data fingerprints, component versions and the parent's identity are in.

    Args:
        run: the configuration.
        name: the stage.
        with_data: False leaves data fingerprints out, for plans made where the data do not lie.
    """
    stage = run.stages[name]
    parent = parent_of(run, name)
    settings = science_dump(stage)
    settings["seed"] = stage_seed(run, stage)
    settings["freeze"] = {part: settings["freeze"][part] for part in stage.parts}
    settings["rates"] = {
        part: rate
        for part, rate in settings["rates"].items()
        if part in stage.parts and settings["freeze"][part]["mode"] != "frozen"
    }
    for part, policy in settings["freeze"].items():
        if policy["mode"] != "adapted":
            only = (
                {"only": policy["only"]} if policy["mode"] == "trained" and policy["only"] else {}
            )
            settings["freeze"][part] = {"mode": policy["mode"], **only}
    policy = run.encoder.image_policy if "encoder" in stage.parts else None
    components = COMPONENTS + (VISUAL_COMPONENTS if "encoder" in stage.parts else ())
    model = {"llm": science_dump(run.llm)}
    if "encoder" in stage.parts:
        model |= {"encoder": science_dump(run.encoder), "projector": science_dump(run.projector)}
    return {
        "kind": "stage",
        "name": name,
        "model": model,
        "stage": settings,
        "corpora": corpus_settings(run, stage),
        "precision": run.trainer.precision,
        "data": data_fingerprint(run, stage) if with_data else None,
        "parent": _start(run) if parent is None else identity(stage_inputs(run, parent, with_data)),
        "versions": versions(components, policy),
    }


def _start(run: Run) -> str | None:
    return None if run.start is None else started_from(run).identity


def started_from(run: Run) -> Entry:
    """The model that ``start`` names.

    Raises:
        ConfigError: there is none.
    """
    return read_entry(Path(str(run.start)).expanduser())


def stage_identity(run: Run, name: str) -> str:
    """The stage's name in the store."""
    return identity(stage_inputs(run, name))


def find_stage(run: Run, name: str) -> Entry | None:
    """The stage's result, where the store has it.

    Raises:
        StaleSource: it was made by other source code than today's at equal version numbers.
    """
    store = Store(store_dir())
    return store.find(
        "stage", stage_identity(run, name), sources=sources_hash(SOURCES), trust=run.store.trust
    )


def run_recipe(run: Run, callbacks: tuple["Callback", ...] = ()) -> list[Entry]:
    """Run or reuse the stages of a recipe, in order.

    Args:
        run: the recipe.
        callbacks: Lightning callbacks of every stage, for measurements.

    Returns:
        The stages' results, the last of which is the recipe's.
    """
    from vilax.training.stage import run_stage

    return [run_stage(run, name, callbacks=callbacks) for name in stages_of(run)]
