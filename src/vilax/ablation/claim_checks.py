"""Refuses claims and endpoints that name what does not exist or was not asked."""

from collections.abc import Mapping, Sequence

from vilax.ablation.contrast import compares_shots, contrast, named_arms
from vilax.ablation.scalars import check_measure, trained_stage
from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.comparison import Claim, Comparison, Endpoint
from vilax.config.schema.run import Run


def check_claims(comparison: Comparison, run: Run, trained: Mapping[str, Sequence[str]]) -> None:
    """Hold endpoints and claims against the arms and what their runs are asked.

    Args:
        comparison: with its arms.
        run: the configuration of one arm; its tasks, shots and corpora are those of all.
        trained: arm to the stages that it trains; an arm that does not run at this scale has none.

    Raises:
        ConfigError: the key, its value, and what was expected.
    """
    stages = list(dict.fromkeys(stage for every in trained.values() for stage in every))
    for name, endpoint in comparison.endpoints.items():
        for task in endpoint.tasks:
            if task not in run.evaluation.tasks:
                raise unknown(f"task in endpoints.{name}.tasks", task, run.evaluation.tasks)
        if endpoint.measure:
            check_measure(f"endpoints.{name}.measure", endpoint.measure, run.corpora, stages)
    first = next(iter(comparison.endpoints), "")
    if first and comparison.endpoints[first].measure:
        raise ConfigError(
            f"endpoints.{first}: the first endpoint is shown as the average of tables, so it needs"
            " tasks, not a measure"
        )
    for name, claim in comparison.claims.items():
        if claim.endpoint not in comparison.endpoints:
            raise unknown(
                f"endpoint in claims.{name}.endpoint", claim.endpoint, comparison.endpoints
            )
        stage = trained_stage(comparison.endpoints[claim.endpoint].measure)
        for key, named in named_arms(claim).items():
            for arm in named:
                if arm not in comparison.arms:
                    raise unknown(f"arm in claims.{name}.{key}", arm, comparison.arms)
                if stage and stage not in trained.get(arm, [stage]):
                    raise ConfigError(
                        f"claims.{name}.{key}={arm!r}: endpoint {claim.endpoint} is the training"
                        f" loss of {stage}, and that arm trains {', '.join(trained[arm])}"
                    )
        _check_terms(f"claims.{name}", claim)
        _check_shots(f"claims.{name}", claim, comparison.endpoints[claim.endpoint], run)


def _check_terms(key: str, claim: Claim) -> None:
    """A sum in which an arm cancels itself compares nothing, or something else than it says."""
    weights: dict[tuple[str, int], float] = {}
    for term in contrast(claim).terms:
        place = (term.arm, term.k)
        weights[place] = weights.get(place, 0.0) + term.weight
    for (arm, _), weight in weights.items():
        if weight == 0:
            raise ConfigError(f"{key} compares arm {arm} with itself: expected different arms")


def _check_shots(key: str, claim: Claim, endpoint: Endpoint, run: Run) -> None:
    if endpoint.measure:
        shots = sorted({"k", "k_low", "k_high"} & claim.model_fields_set)
        if shots:
            raise ConfigError(
                f"{key}.{shots[0]}: {endpoint.measure} is measured without shots, leave it out"
            )
        if compares_shots(claim):
            raise ConfigError(
                f"{key}: {endpoint.measure} is measured without shots, and a {claim.kind} is about"
                " shots; expected an order, gap or equal claim, or an interaction of four arms"
            )
    for task in endpoint.tasks:
        asked = run.evaluation.tasks[task].shots
        for k in contrast(claim).shots:
            if k not in asked:
                raise ConfigError(
                    f"{key} needs {task} at {k} shots, and evaluation.tasks.{task}.shots has"
                    f" {', '.join(map(str, asked))}"
                )
