"""Identities where the data do not lie here: what arms share is known without their content."""

from collections.abc import Callable
from typing import TypeVar

from vilax.ablation.graph import Lookup, store_lookup
from vilax.artifacts.identity import identity, science_dump
from vilax.artifacts.store import Entry, StaleSource
from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run

T = TypeVar("T")


def planning_lookup() -> Lookup:
    """The store's lookup; of what reads data that are not on this machine, nothing is stored.

    There an identity is made without the fingerprint of the data: it tells equal stages from
    different ones, but is not the name under which they will be stored.
    """
    from vilax.evaluation.identity import evaluation_inputs
    from vilax.training.recipe import stage_inputs

    real = store_lookup()
    measures_of, find_measures = real.measures_identity, real.find_measures
    assert measures_of is not None
    assert find_measures is not None

    def stage(run: Run, name: str) -> str:
        return _here(
            lambda: real.stage_identity(run, name),
            lambda: identity(stage_inputs(run, name, with_data=False)),
        )

    def evaluation(run: Run, name: str) -> str:
        def without() -> str:
            sees = "encoder" in run.stages[name].parts
            return identity(evaluation_inputs(run, name, stage(run, name), "", sees))

        return _here(lambda: real.evaluation_identity(run, name), without)

    def measures(run: Run, name: str) -> str:
        def without() -> str:
            settings = science_dump(run.measures)
            return identity({"measures_of": stage(run, name), "settings": settings})

        return _here(lambda: measures_of(run, name), without)

    def found(find: Callable[[Run, str], Entry | None]) -> Callable[[Run, str], Entry | None]:
        return lambda run, name: _here(lambda: find(run, name), lambda: None)

    return Lookup(
        stage,
        evaluation,
        found(real.find_stage),
        found(real.find_evaluation),
        measures,
        found(find_measures),
    )


def _here(ask: Callable[[], T], otherwise: Callable[[], T]) -> T:
    try:
        return ask()
    except StaleSource:
        raise
    except (ConfigError, OSError):
        return otherwise()
