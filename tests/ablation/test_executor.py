import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.ablation.fakes import FakeStore, Recorder, freezing, mark, marks
from vilax.ablation.executor import Outcome, Room, execute
from vilax.ablation.graph import Graph, Node, build
from vilax.ablation.launch.local import LocalPool
from vilax.ablation.progress import Display


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    return tmp_path


def chain(**needs: tuple[str, ...]) -> list[Node]:
    run = freezing().runs[0].run
    return [Node(name, "stage", name, run, wanted) for name, wanted in needs.items()]


def run(nodes: list[Node], jobs: int, watcher: Recorder | Display) -> dict[str, Outcome]:
    return execute(nodes, LocalPool(mark), watcher, Room(jobs))


def test_nodes_run_after_their_needs_in_few_processes(folder: Path) -> None:
    seen = Recorder()
    nodes = chain(one=(), two=("one",), three=("one",), four=("two", "three", "stored"))
    outcomes = run(nodes, 2, seen)
    assert not any(outcome.failure for outcome in outcomes.values())
    order = [line["stage"] for line in marks(folder)]
    assert order[0] == "one"
    assert order[-1] == "four"
    assert sorted(order[1:3]) == ["three", "two"]
    assert len({line["pid"] for line in marks(folder)}) == 2


def test_threads_bound_what_runs_at_once(folder: Path) -> None:
    seen = Recorder()
    nodes = chain(wide=(), one=(), two=(), three=())
    nodes[0].threads = 2
    run(nodes, 2, seen)
    assert seen.most == 2
    assert seen.lines[:2] == ["start wide", "end wide"]
    seen = Recorder()
    run(nodes, 1, seen)
    assert seen.lines[0::2] == ["start wide", "start one", "start two", "start three"]


def test_a_failure_fails_dependants_and_the_rest_goes_on(folder: Path) -> None:
    nodes = chain(bad=(), child=("bad",), grandchild=("child",), other=())
    outcomes = run(nodes, 1, Recorder())
    assert outcomes["bad"].failure.startswith("ValueError: this stage is bad")
    assert outcomes["child"].failure == "needs bad, which failed"
    assert outcomes["grandchild"].failure == "needs child, which failed"
    assert outcomes["other"].failure == ""
    assert [line["stage"] for line in marks(folder)] == ["bad", "other"]
    assert "this stage is bad" in (folder / "logs" / "worker-0.log").read_text()


def test_a_killed_worker_is_replaced_and_its_node_started_once_more(folder: Path) -> None:
    seen = Recorder()
    outcomes = run(chain(fragile=(), after=("fragile",)), 1, seen)
    assert [line["stage"] for line in marks(folder)] == ["fragile", "fragile", "after"]
    assert outcomes["after"].failure == ""
    assert any("SIGKILL" in line and "once more" in line for line in seen.lines)


def test_a_node_that_kills_its_worker_twice_has_failed(folder: Path) -> None:
    outcomes = run(chain(dies=(), other=()), 1, Recorder())
    assert "SIGKILL" in outcomes["dies"].failure
    assert outcomes["other"].failure == ""
    assert len(marks(folder)) == 3


def test_an_interrupt_ends_the_workers(folder: Path) -> None:
    class Impatient(Recorder):
        def started(self, node: Node) -> None:
            while not (folder / "marks.jsonl").exists():
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(chain(slow=()), 1, Impatient())
    assert is_gone(marks(folder)[0]["pid"])


def test_workers_die_with_a_killed_command(folder: Path) -> None:
    script = (
        "from tests.ablation.test_executor import chain, Recorder, run\n"
        "if __name__ == '__main__':\n"
        "    run(chain(slow=()), 1, Recorder())\n"
    )
    file = folder / "command.py"
    file.write_text(script)
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "src")])
    command = subprocess.Popen([sys.executable, str(file)], env=os.environ | {"PYTHONPATH": path})
    while not (folder / "marks.jsonl").exists() or not marks(folder):
        assert command.poll() is None
        time.sleep(0.05)
    command.send_signal(signal.SIGKILL)
    command.wait()
    worker = marks(folder)[0]["pid"]
    deadline = time.monotonic() + 10
    while not is_gone(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_gone(worker)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_each_line_says_what_was_reused_trained_or_failed(folder: Path, is_terminal: bool) -> None:
    store = FakeStore()
    first = build([freezing()], store.lookup())
    text = next(node for node in first.nodes.values() if node.stage == "text")
    store.put(text, folder)
    whole = build([freezing()], store.lookup())
    wanted = {key: node for key, node in whole.nodes.items() if node.kind in ("stage", "data")}
    graph = Graph(dict(list(wanted.items())[:4]), {}, {}, {})
    out = StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=120)
    with Display(graph, console) as display:
        run(graph.pending, 2, display)
    shown = out.getvalue()
    assert "reused    text" in shown
    assert "built micro world" in shown
    assert "[4/4] trained" in shown
