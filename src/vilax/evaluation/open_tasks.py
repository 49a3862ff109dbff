"""The tasks of a run's evaluation, opened: files read, prompts and shots ready."""

from collections.abc import Sequence
from pathlib import Path

from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.evaluation import Evaluation
from vilax.evaluation.asking import Source
from vilax.evaluation.benchmark import BenchmarkSource
from vilax.evaluation.question import missing_files
from vilax.evaluation.shots import Similarity
from vilax.evaluation.world import world_source


def check_files(settings: Evaluation, tasks: Sequence[str]) -> None:
    """See that every benchmark's files are there; to be asked before any weight is loaded.

    Raises:
        ConfigError: one message that names what is missing of all tasks, where it comes from, what
            to put where, and its licence.
    """
    root = Path(settings.benchmarks).expanduser()
    gone = []
    for name in tasks:
        task = settings.tasks[name]
        if isinstance(task, BenchmarkTask) and (message := missing_files(name, task, root)):
            gone.append(message)
    if gone:
        raise ConfigError(
            f"{len(gone)} of {len(tasks)} tasks have no data under evaluation.benchmarks="
            f"{settings.benchmarks}:\n" + "\n".join(gone)
        )


def open_tasks(
    settings: Evaluation,
    tasks: Sequence[str],
    data: Path | None,
    seed: int,
    similarity: Similarity | None = None,
) -> list[Source]:
    """Sources of the named tasks.

    Args:
        settings: what is asked.
        tasks: names of the tasks.
        data: folder of the micro world's evaluation data; None where no task needs it.
        seed: which of the micro world's items are seen.
        similarity: features by which similar shots are found.

    Raises:
        ConfigError: files are missing or do not fit.
    """
    root = Path(settings.benchmarks).expanduser()
    found: list[Source] = []
    for name in tasks:
        task = settings.tasks[name]
        if isinstance(task, BenchmarkTask):
            found.append(BenchmarkSource(name, task, root, settings.limit, similarity))
        elif data is not None:
            found.append(world_source(name, task, data, seed, settings.limit))
        else:
            raise ConfigError(f"evaluation.tasks.{name}: kind {task.kind} needs evaluation.data")
    return found
