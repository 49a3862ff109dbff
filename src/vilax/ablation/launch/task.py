"""What every launcher sends to where a node is done, and what happens there."""

import contextlib
import sys
import traceback
from dataclasses import dataclass

from vilax.ablation.executor import Work
from vilax.ablation.graph import Node
from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run


@dataclass(frozen=True)
class Task:
    """A node in plain values, for it crosses to another process or machine.

    Attributes:
        kind: the node's kind.
        config: its run as JSON.
        stage: name of its stage.
        threads: CPU threads it may use.
    """

    kind: str
    config: str
    stage: str
    threads: int


def task_of(node: Node) -> Task:
    """A node as a task."""
    return Task(node.kind, node.run.model_dump_json(), node.stage, node.threads)


def attempt(work: Work, task: Task, log: str) -> str:
    """Do a task.

    Args:
        work: does it.
        task: what.
        log: where this process writes what is printed, for the sentence.

    Returns:
        Why it failed, in a sentence; empty: it did not.
    """
    failure = ""
    _say(f"--- {task.kind} {task.stage}")
    try:
        work(task.kind, Run.model_validate_json(task.config), task.stage, task.threads)
    except ConfigError as error:
        failure = str(error)
    except Exception as error:
        _say(traceback.format_exc())
        failure = f"{type(error).__name__}: {error} (traceback in {log})"
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return failure


def _say(text: str) -> None:
    """Print to the log; on a full disk the node's own error counts, not the log's."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
