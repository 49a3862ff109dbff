"""Each node a SLURM job through submitit, held back by SLURM until the jobs it needs are done."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from vilax.ablation.executor import Ended, Outcome, Work, perform
from vilax.ablation.graph import Node
from vilax.ablation.launch.task import Task, attempt, task_of
from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import outputs_dir

LOOK = 1.0
"""Seconds between two looks for results."""

ASK = 30.0
"""Seconds between two questions to SLURM about jobs that left no result."""

DAY = 24 * 60
"""Minutes that a job may take unless ``time`` says otherwise; it goes on where it was cut."""

OURS = ("dependency", "job_name", "nodes", "ntasks_per_node", "array_parallelism")
"""What a node decides itself."""

GPUS = ("gpus_per_node", "gpus_per_task", "num_gpus", "gres", "mem_per_gpu", "cpus_per_gpu")
"""Parameters that jobs without a GPU do not get."""


class NodeFailed(Exception):
    """A node's work failed; the message is its sentence as JSON, in one line."""


class SubmititPool:
    """Jobs of a cluster.

    All nodes are submitted at once; a job depends on those of the nodes it needs (``afterok``), so
    that the queue orders them. A job that is cut by its time limit or preempted is queued again and
    goes on from its checkpoint.

    Args:
        settings: parameters of sbatch by their names in submitit, such as ``partition``.
        work: what a job does.
        cluster: ``slurm``, ``local`` (processes of this machine), or None: SLURM where there is.

    Raises:
        ConfigError: submitit is not installed, or a parameter does not exist.
    """

    def __init__(
        self, settings: Mapping[str, Any], work: Work = perform, cluster: str | None = "slurm"
    ) -> None:
        try:
            import submitit
        except ImportError as error:
            raise ConfigError(
                "launcher submitit needs the package submitit: pip install 'vilax[sweep]'"
            ) from error
        known = [name for name in submitit.SlurmExecutor._valid_parameters() if name not in OURS]
        for name in settings:
            if name in OURS:
                raise ConfigError(f"--slurm {name}=...: each node decides that itself")
            if name not in known:
                raise unknown("parameter of --slurm", name, known)
        self._folder = outputs_dir() / "logs" / "submitit"
        self._cluster = cluster
        try:
            self.ahead = self._open().cluster == "slurm"
        except RuntimeError as error:
            raise ConfigError(
                f"launcher submitit: {error}; expected a machine from which sbatch works"
            ) from error
        self._settings = dict(settings)
        self._work = work
        self._jobs: dict[str, tuple[Node, Any, float]] = {}
        self._asked = time.monotonic()

    def _open(self) -> Any:
        import submitit

        return submitit.AutoExecutor(self._folder, cluster=self._cluster)

    def parameters(self, node: Node) -> dict[str, Any]:
        """What a node's job is submitted with, in the names of submitit's ``AutoExecutor``."""
        found: dict[str, Any] = {
            "name": f"vilax-{node.stage or node.kind}",
            "cpus_per_task": node.threads,
            "timeout_min": DAY,
        }
        if node.gpus:
            found["gpus_per_node"] = node.gpus
        settings = self._settings
        if not node.gpus:
            settings = {name: value for name, value in settings.items() if name not in GPUS}
        elif any(name in settings for name in GPUS):
            del found["gpus_per_node"]
        found |= {f"slurm_{name}": value for name, value in settings.items()}
        if self.ahead:
            waits = [self._jobs[key][1].job_id for key in node.needs if key in self._jobs]
            # A job whose need has failed leaves the queue, in place of waiting for ever.
            extra = {"kill-on-invalid-dep": "yes"}
            extra |= self._settings.get("additional_parameters", {})
            found["slurm_additional_parameters"] = extra
            if waits:
                found["slurm_dependency"] = f"afterok:{':'.join(waits)}"
        return found

    def start(self, node: Node, devices: Sequence[str]) -> None:
        """Submit a node."""
        # A new one each time, for it keeps parameters that the next node does not have.
        executor = self._open()
        executor.update_parameters(**self.parameters(node))
        job = executor.submit(_Job(self._work), task_of(node), str(self._folder))
        self._jobs[node.key] = node, job, time.monotonic()

    def collect(self, timeout: float | None) -> list[Ended]:
        """Wait until a job ends, or until the time is up."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            force = time.monotonic() - self._asked > ASK
            if force:
                self._asked = time.monotonic()
            # One that SLURM gave up with its need ends after it, so that the reason is told first.
            done = [
                key
                for key, (node, job, _) in self._jobs.items()
                if not any(need in self._jobs for need in node.needs)
                and job.done(force_check=force)
            ]
            if done:
                return [self._outcome(key) for key in done]
            if until is not None and time.monotonic() > until:
                return []
            time.sleep(LOOK)

    def _outcome(self, key: str) -> Ended:
        from submitit.core.utils import FailedJobError

        node, job, began = self._jobs.pop(key)
        error = job.exception()
        if error is None:
            return Ended(node, Outcome(float(job.result())), False)
        seconds = time.monotonic() - began
        log = job.paths.stderr
        if not isinstance(error, FailedJobError):
            why = f"its job {job.job_id} ended as {job.state} without a result (log {log})"
            return Ended(node, Outcome(seconds, why), True)
        _, mark, told = str(error).rpartition(f"{NodeFailed.__name__}: ")
        if mark:
            return Ended(node, Outcome(seconds, json.JSONDecoder().raw_decode(told)[0]), False)
        return Ended(node, Outcome(seconds, f"its job {job.job_id} failed (log {log})"), False)

    def cancel(self, node: Node) -> None:
        """Take a job out of the queue."""
        if node.key in self._jobs:
            _, job, _ = self._jobs.pop(node.key)
            job.cancel(check=False)

    def close(self) -> None:
        """Cancel what is queued or runs."""
        for node, _, _ in list(self._jobs.values()):
            self.cancel(node)


class _Job:
    """What a job calls; submitit sends it there, and asks it what to do when time is up."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self, task: Task, log: str) -> float:
        """Do the task; returns its seconds. It fails by an error, for ``afterok`` to see it."""
        began = time.monotonic()
        if failure := attempt(self._work, task, log):
            raise NodeFailed(json.dumps(failure))
        return time.monotonic() - began

    def checkpoint(self, task: Task, log: str) -> Any:
        """The same again: the stage store holds how far it got."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, task, log)
