"""Every launcher runs the same small graphs; SLURM is played by a queue of our own."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ablation.fakes import Recorder, mark, marks
from tests.ablation.launch.fake_slurm import install, scripts
from tests.ablation.test_executor import chain, folder  # noqa: F401
from vilax.ablation.executor import Pool, Room, execute
from vilax.ablation.graph import Node
from vilax.ablation.launch import open_pool, visible_devices
from vilax.ablation.launch.local import LocalPool
from vilax.ablation.launch.loky import JoblibPool
from vilax.ablation.launch.slurm import SubmititPool
from vilax.config.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def slurm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:  # noqa: F811
    """A SLURM of this machine; what still runs at the end is cancelled."""
    for key, value in install(folder).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "src")]))
    yield folder
    for file in (folder / "slurm").glob("*.pid"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(file.read_text()), signal.SIGKILL)


def test_slurm_jobs_wait_for_those_they_need(slurm: Path) -> None:
    nodes = chain(one=(), two=("one",), three=("one", "two"), stored_need=("elsewhere",))
    nodes[1].threads, nodes[1].gpus = 4, 2
    settings = {"partition": "gpu", "time": 240, "account": "vlm", "gres": "gpu:a100:2"}
    seen = Recorder()
    outcomes = execute(nodes, SubmititPool(settings, mark), seen, Room(None))
    assert not any(outcome.failure for outcome in outcomes.values())
    # All are in the queue before the first has ended.
    assert [line.split()[0] for line in seen.lines[:4]] == ["start"] * 4
    order = [line["stage"] for line in marks(slurm)]
    assert order.index("one") < order.index("two") < order.index("three")
    first, second, third, fourth = scripts(slurm).values()
    numbers = list(scripts(slurm))
    assert "--dependency" not in first + fourth
    assert f"--dependency=afterok:{numbers[0]}\n" in second
    assert f"--dependency=afterok:{numbers[0]}:{numbers[1]}\n" in third
    for text in (first, second):
        assert "--partition=gpu\n" in text and "--time=240\n" in text and "--account=vlm\n" in text
        assert "--kill-on-invalid-dep=yes\n" in text
    assert "--cpus-per-task=4\n" in second and "--cpus-per-task=1\n" in third
    assert "--gres=gpu:a100:2\n" in second and "gres" not in first + third
    assert "--job-name=vilax-two\n" in second


def test_a_node_asks_slurm_for_its_gpus(folder: Path, slurm: Path) -> None:  # noqa: F811
    pool = SubmititPool({}, mark)
    (node,) = chain(one=())
    node.gpus = 8
    assert pool.parameters(node)["gpus_per_node"] == 8
    node.gpus = 0
    assert "gpus_per_node" not in pool.parameters(node)


def test_a_failed_slurm_job_takes_those_that_wait_for_it_along(slurm: Path) -> None:
    nodes = chain(bad=(), child=("bad",), grandchild=("child",), other=())
    outcomes = execute(nodes, SubmititPool({}, mark), Recorder(), Room(None))
    assert outcomes["bad"].failure.startswith("ValueError: this stage is bad")
    assert outcomes["child"].failure == "needs bad, which failed"
    assert outcomes["grandchild"].failure == "needs child, which failed"
    assert outcomes["other"].failure == ""
    assert sorted(line["stage"] for line in marks(slurm)) == ["bad", "other"]


def test_a_lost_slurm_job_is_submitted_once_more(
    slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vilax.ablation.launch.slurm.ASK", 0.2)
    # How long submitit looks for a late result on a slow file system.
    monkeypatch.setattr("submitit.Job._results_timeout_s", 1)
    seen = Recorder()
    outcomes = execute(
        chain(fragile=(), after=("fragile",)), SubmititPool({}, mark), seen, Room(None)
    )
    assert outcomes["after"].failure == ""
    assert [line["stage"] for line in marks(slurm)] == ["fragile", "fragile", "after"]
    assert any("without a result" in line and "once more" in line for line in seen.lines)


def local_submitit() -> Pool:
    return SubmititPool({}, mark, cluster="local")


def joblib() -> Pool:
    return JoblibPool(2, mark)


@pytest.mark.parametrize("launcher", [joblib, local_submitit])
def test_other_launchers_of_this_machine(
    folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    launcher: Callable[[], Pool],
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "src")]))
    monkeypatch.setattr("submitit.Job._results_timeout_s", 1)
    nodes = chain(fragile=(), after=("fragile",), bad=("after",), child=("bad",), last=("after",))
    outcomes = execute(nodes, launcher(), Recorder(), Room(1))
    assert {key for key, outcome in outcomes.items() if outcome.failure} == {"bad", "child"}
    assert outcomes["bad"].failure.startswith("ValueError: this stage is bad (traceback in ")
    assert outcomes["child"].failure == "needs bad, which failed"
    log = Path(re.findall(r"traceback in (.*)\)", outcomes["bad"].failure)[0])
    assert log.exists()
    assert [line["stage"] for line in marks(folder)][:3] == ["fragile", "fragile", "after"]


def test_each_gpu_node_has_a_gpu_of_its_own(folder: Path) -> None:  # noqa: F811
    nodes = chain(gpu_a=(), gpu_b=(), cpu_c=(), gpu_d=("gpu_a", "gpu_b"))
    for node in nodes:
        node.gpus = int(node.stage.startswith("gpu"))
    nodes[3].gpus = 2
    seen = Recorder()
    outcomes = execute(nodes, LocalPool(mark), seen, Room(8, ("4", "7")))
    assert not any(outcome.failure for outcome in outcomes.values())
    devices = {line["stage"]: line["devices"] for line in marks(folder)}
    assert sorted([devices["gpu_a"], devices["gpu_b"]]) == ["4", "7"]
    assert devices["gpu_d"] in ("4,7", "7,4")


def test_gpus_bound_what_runs_at_once_and_let_others_pass(folder: Path) -> None:  # noqa: F811
    nodes = chain(gpu_a=(), gpu_b=(), cpu_c=())
    nodes[0].gpus = nodes[1].gpus = 1
    seen = Recorder()
    execute(nodes, LocalPool(mark), seen, Room(8, ("0",)))
    assert seen.lines[:2] == ["start gpu_a", "start cpu_c"]
    assert seen.lines.index("end gpu_a") < seen.lines.index("start gpu_b")


def test_visible_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-a1")
    assert visible_devices(None) == ("3", "GPU-a1")
    assert visible_devices(1) == ("3",)
    with pytest.raises(ConfigError, match="--gpus 3: this machine shows 2"):
        visible_devices(3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_devices(None) == ()


@pytest.mark.parametrize(
    ("name", "gpus", "settings", "said"),
    [
        ("slurm", None, {}, "unknown launcher 'slurm'"),
        ("local", None, {"partition": "gpu"}, "--slurm is for --launcher submitit"),
        ("joblib", 2, {}, "--gpus is for --launcher local"),
        ("submitit", None, {"partitoin": "gpu"}, "partition"),
        ("submitit", None, {"dependency": "afterok:1"}, "each node decides that itself"),
    ],
)
def test_launchers_that_cannot_be_had(
    slurm: Path, name: str, gpus: int | None, settings: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        open_pool(name, 1, gpus, settings)


def test_no_slurm_and_no_ray(
    folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ConfigError, match="sbatch"):
        open_pool("submitit", 1, None, {})
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'vilax\[sweep\]'"):
        open_pool("ray", 1, None, {})


def test_an_interrupt_takes_the_jobs_out_of_the_queue(slurm: Path) -> None:
    class Impatient(Recorder):
        def started(self, node: Node) -> None:
            if node.stage == "after":
                raise KeyboardInterrupt

    nodes = chain(slow=(), after=("slow",))
    with pytest.raises(KeyboardInterrupt):
        execute(nodes, SubmititPool({}, mark), Impatient(), Room(None))
    cancelled = sorted(file.stem for file in (slurm / "slurm").glob("*.cancelled"))
    assert cancelled == list(scripts(slurm))
    assert len(cancelled) == 2
