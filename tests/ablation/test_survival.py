"""What a sweep survives: a full disk, and other people on the same store."""

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest

from tests.ablation.fakes import Recorder
from tests.ablation.test_executor import chain, folder  # noqa: F401
from vilax.ablation import executor
from vilax.ablation.executor import Outcome, Room, execute
from vilax.ablation.graph import Node
from vilax.ablation.held import held_by
from vilax.ablation.launch.local import LocalPool
from vilax.artifacts.store import Store
from vilax.config.locate import store_dir
from vilax.config.schema.run import Run


def publish(kind: str, run: Run, stage: str, threads: int) -> None:
    """Work as a stage does it: claim, write, publish. ``big`` finds the disk full while one is."""
    outputs = Path(os.environ["VILAX_OUTPUTS"])
    with Store(store_dir()).claim("stage", stage, {"name": stage}) as claim:
        if claim.entry is not None:
            return
        with (outputs / "made.jsonl").open("a") as file:
            file.write(json.dumps(stage) + "\n")
        time.sleep(0.3)
        file = claim.result / "weights"
        if stage == "big" and (outputs / "is-full").exists():
            file.symlink_to("/dev/full")
        file.write_text("weights" * 10000)
        claim.publish({"name": stage})


def named(**needs: tuple[str, ...]) -> list[Node]:
    wanted = {name: tuple(f"stage:{need}" for need in before) for name, before in needs.items()}
    nodes = chain(**wanted)
    for node in nodes:
        node.key = f"stage:{node.stage}"
    return nodes


def made(outputs: Path) -> list[str]:
    return [json.loads(line) for line in (outputs / "made.jsonl").read_text().splitlines()]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "LOOK_AGAIN", 0.1)


def test_a_full_disk_fails_what_met_it_and_the_same_call_goes_on_later(
    folder: Path,  # noqa: F811
) -> None:
    (folder / "is-full").touch()
    (folder / "logs").mkdir()
    (folder / "logs" / "worker-0.log").symlink_to("/dev/full")
    nodes = named(big=(), child=("big",), small=())
    outcomes = execute(nodes, LocalPool(publish), Recorder(), Room(1))
    assert "No space left on device" in outcomes["stage:big"].failure
    assert outcomes["stage:child"].failure == "needs big, which failed"
    assert outcomes["stage:small"].failure == ""
    assert [entry.identity for entry in Store(store_dir()).entries()] == ["small"]

    (folder / "is-full").unlink()
    outcomes = execute(nodes, LocalPool(publish), Recorder(), Room(1))
    assert not any(outcome.failure for outcome in outcomes.values())
    entries = Store(store_dir()).entries()
    assert sorted(entry.identity for entry in entries) == ["big", "child", "small"]
    assert not any(entry.damaged() for entry in entries)
    assert made(folder) == ["big", "small", "big", "child"]


def test_a_right_is_held_and_given_back_on_a_full_disk(
    folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(path: Path, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    (node,) = named(one=())
    monkeypatch.setattr(Path, "write_text", full)
    with Store(store_dir()).lock("stage-one"):
        assert held_by(node) == "another process to finish stage-one"
    assert held_by(node) == ""


def test_what_somebody_else_makes_is_passed_over_until_it_is_there(
    folder: Path,  # noqa: F811
) -> None:
    theirs = Store(store_dir()).lock("stage-theirs")

    class Neighbour(Recorder):
        """Gives up its right once all else is done."""

        def ended(self, node: Node, outcome: Outcome) -> None:
            super().ended(node, outcome)
            if node.stage == "two":
                theirs.__exit__(None, None, None)

    seen = Neighbour()
    theirs.__enter__()
    nodes = named(theirs=(), one=(), two=("one",), after=("theirs",))
    outcomes = execute(nodes, LocalPool(publish), seen, Room(1), held_by)
    assert not any(outcome.failure for outcome in outcomes.values())
    assert made(folder) == ["one", "two", "theirs", "after"]
    waits = [line for line in seen.lines if "waiting for process" in line]
    assert len(waits) == 1
    assert f"theirs: waiting for process {os.getpid()}" in waits[0]


def test_two_sweeps_on_one_store_make_each_result_once(folder: Path) -> None:  # noqa: F811
    found: dict[int, dict[str, Outcome]] = {}
    needs = {"base": (), **{f"arm{n}": ("base",) for n in range(4)}, "last": ("arm0", "arm3")}

    def sweep(number: int) -> None:
        pool = LocalPool(publish)
        found[number] = execute(named(**needs), pool, Recorder(), Room(2), held_by)

    both = [threading.Thread(target=sweep, args=(number,)) for number in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=60)
    assert sorted(found) == [0, 1]
    for outcomes in found.values():
        assert set(outcomes) == {f"stage:{name}" for name in needs}
        assert not any(outcome.failure for outcome in outcomes.values())
    assert sorted(made(folder)) == sorted(needs)
