"""Each node a task of a Ray cluster, with the CPUs and GPUs it wants."""

import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vilax.ablation.executor import Ended, Outcome, Work, perform
from vilax.ablation.graph import Node
from vilax.ablation.launch.local import print_to
from vilax.ablation.launch.task import Task, attempt, task_of
from vilax.config.errors import ConfigError
from vilax.config.locate import outputs_dir


class RayPool:
    """Tasks of the cluster that ``RAY_ADDRESS`` names, or of one started here for the time.

    All machines must see the same ``VILAX_OUTPUTS``: results go through the stage store there.

    Args:
        jobs: CPUs of a cluster that is started here.
        work: what a task does.

    Raises:
        ConfigError: ray is not installed, or the cluster cannot be reached.
    """

    ahead = False

    def __init__(self, jobs: int, work: Work = perform) -> None:
        try:
            import ray
        except ImportError as error:
            raise ConfigError(
                "launcher ray needs the package ray: pip install 'vilax[sweep]'"
            ) from error
        self._ray: Any = ray
        self._work = work
        self._logs = str((outputs_dir() / "logs").absolute())
        self._running: dict[Any, tuple[Node, float]] = {}
        settings: dict[str, Any] = {"num_cpus": jobs, "include_dashboard": False}
        if "RAY_ADDRESS" in os.environ:
            settings = {"address": os.environ["RAY_ADDRESS"]}
        passed = {"VILAX_OUTPUTS": str(outputs_dir().absolute()), "PYTHONPATH": ":".join(sys.path)}
        try:
            ray.init(log_to_driver=False, runtime_env={"env_vars": passed}, **settings)
        except (ConnectionError, RuntimeError) as error:
            raise ConfigError(f"launcher ray: cannot reach its cluster: {error}") from error
        # A task that no machine can hold would wait for ever.
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self._widest = {
            name: max(float(machine.get(name, 0)) for machine in machines)
            for name in ("CPU", "GPU")
        }

    def start(self, node: Node, devices: Sequence[str]) -> None:
        """Hand a node to the cluster, which places it where there is room."""
        task = self._ray.remote(_do).options(
            name=node.title,
            num_cpus=min(float(node.threads), self._widest["CPU"]),
            num_gpus=min(float(node.gpus), self._widest["GPU"]),
            max_retries=0,
        )
        self._running[task.remote(self._work, task_of(node), self._logs)] = node, time.monotonic()

    def collect(self, timeout: float | None) -> list[Ended]:
        """Wait until a task ends, or until the time is up."""
        done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        return [self._outcome(reference) for reference in done]

    def _outcome(self, reference: Any) -> Ended:
        node, began = self._running.pop(reference)
        seconds = time.monotonic() - began
        try:
            return Ended(node, Outcome(seconds, self._ray.get(reference)), False)
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            return Ended(node, Outcome(seconds, f"its Ray task was lost: {first}"), True)

    def cancel(self, node: Node) -> None:
        """Nothing: no node waits here."""

    def close(self) -> None:
        """End the tasks and leave the cluster."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()


def _do(work: Work, task: Task, folder: str) -> str:
    log = Path(folder) / f"ray-{socket.gethostname()}-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print_to(log)
    return attempt(work, task, str(log))
