"""One arm at one seed to every dashboard that its run asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vilax.artifacts.store import Entry
from vilax.config.schema.run import Run


@dataclass(frozen=True)
class Published:
    """What dashboards are given.

    Attributes:
        comparison: name of the comparison; dashboards group by it.
        arm: name of the arm.
        seed: the run's seed.
        run: the arm's configuration.
        stages: stage names with their results, in order.
        evaluation: the evaluation of the last stage, where there is one.
        measures: what was measured on the last stage, as figures by name.
    """

    comparison: str
    arm: str
    seed: int
    run: Run
    stages: Sequence[tuple[str, Entry]]
    evaluation: Entry | None = None
    measures: tuple[tuple[str, float], ...] = ()


def publish_arm(published: Published) -> list[Path]:
    """Write curves, scores, predictions and measures; the same results are published once.

    Returns:
        Where they lie: a marker of the wandb run, a folder of TensorBoard, files of CSV.

    Raises:
        ConfigError: TensorBoard is asked for and not installed.
    """
    settings = published.run.logger
    found: list[Path] = []
    if settings.wandb != "disabled":
        from vilax.ablation.dashboards.wandb_runs import publish_wandb

        found.append(publish_wandb(published))
    if settings.tensorboard:
        from vilax.ablation.dashboards.curve_files import publish_tensorboard

        found.append(publish_tensorboard(published))
    if settings.csv:
        from vilax.ablation.dashboards.curve_files import publish_csv

        found += publish_csv(published)
    return found


def measured(content: object) -> tuple[tuple[str, float], ...]:
    """Figures of a ``measures.json`` by name, nested names joined by ``/``."""
    return tuple(_figures("", content))


def _figures(name: str, value: object) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _figures(f"{name}/{key}" if name else str(key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _figures(f"{name}/{index}", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)
