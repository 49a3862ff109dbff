"""One evaluation from opened tasks to written results."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from vilax.config.schema.evaluation import Evaluation
from vilax.evaluation.journal import Journal
from vilax.evaluation.open_tasks import open_tasks
from vilax.evaluation.peers import ALONE, Peers
from vilax.evaluation.results import write_results
from vilax.evaluation.runner import answer_all
from vilax.evaluation.similarity import picture_similarity
from vilax.evaluation.subject import Subject
from vilax.evaluation.submission import write_submissions


def evaluate(
    subject: Subject,
    settings: Evaluation,
    tasks: Sequence[str],
    data: Path | None,
    seed: int,
    folder: Path,
    stage: str,
    *,
    work: Path | None = None,
    made_by: str = "",
    peers: Peers = ALONE,
    visible: bool = False,
) -> dict[str, Any]:
    """Write ``predictions.jsonl``, ``results.json``, ``timing.json`` and submissions.

    Args:
        subject: the model.
        settings: tasks and decoding.
        tasks: names of the tasks to ask.
        data: folder of the micro world's evaluation data; None where no task needs it.
        seed: which items are seen, and seed of the choice of shots where ``shot_seeds`` has none.
        folder: where to write.
        stage: identity of what is evaluated.
        work: where answers are kept until all are there; what it holds is not asked again, so it
            must belong to these tasks, this model and these settings alone. None: nothing is taken
            over, and one process works alone.
        made_by: hash of the source code; answers in ``work`` that other code gave are not used.
        peers: the processes that share the items.
        visible: show a progress bar on stderr.

    Returns:
        Content of ``results.json``; empty in a process that is not the first.

    Raises:
        ConfigError: the data lack what a task needs, or a prompt is longer than the model's
            context.
    """
    seeds = settings.shot_seeds or (seed,)
    with _reading(visible and peers.rank == 0):
        sources = open_tasks(settings, tasks, data, seed, picture_similarity(subject))
    with ExitStack() as stack:
        if work is None:
            folder.mkdir(parents=True, exist_ok=True)
            work = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
        journal = Journal(work, peers.rank, made_by)
        answer_all(subject, settings, sources, seeds, journal, peers, visible)
        if peers.rank:
            return {}
        answers = journal.read()
    report = write_results(sources, settings, seeds, answers, folder, stage)
    write_submissions(sources, answers, folder)
    return report


def _reading(visible: bool) -> AbstractContextManager[object]:
    """A sign that annotation files, and videos with their frames, are being read."""
    return Console(stderr=True).status("reading benchmarks") if visible else nullcontext()
