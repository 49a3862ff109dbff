"""An evaluation that is killed, or that processes share, leaves the same files as any other."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vilax.evaluation.journal import Journal

FILES = ("predictions.jsonl", "results.json")
SCRIPT = Path(__file__).with_name("resumed.py")


def start(folder: Path, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SCRIPT), str(folder), *words]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    assert start(folder).wait() == 0
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("lines", [4])
def test_killed_and_started_again_leaves_the_same_files(tmp_path, whole, lines) -> None:
    process = start(tmp_path, "slow")
    answers = tmp_path / "answers" / "answers-0.jsonl"
    deadline = time.monotonic() + 120
    while not answers.exists() or answers.read_bytes().count(b'"id"') < lines:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "results.json").exists()
    before = answers.read_bytes()
    # The kill may also tear the last line.
    answers.write_bytes(before[:-5])
    assert start(tmp_path).wait() == 0
    for name in FILES:
        assert (tmp_path / name).read_bytes() == whole[name], name
    assert answers.read_bytes().startswith(before[:-5])


def test_two_processes_are_one(tmp_path, whole) -> None:
    port = str(29500 + os.getpid() % 2000)
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    both = [start(tmp_path, **shared, RANK=str(rank)) for rank in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    for name in FILES:
        assert (tmp_path / name).read_bytes() == whole[name], name
    counts = [len(Journal(tmp_path / "answers", rank, "").path.read_bytes()) for rank in range(2)]
    assert all(counts)


def test_answers_of_other_code_are_not_taken_over(tmp_path) -> None:
    part = ("task", 0, 0)
    Journal(tmp_path, 0, "then").write(part, [{"id": "a", "answer": "x"}])
    assert Journal(tmp_path, 0, "now").read() == {}
    Journal(tmp_path, 1, "now").write(part, [{"id": "b", "answer": "y"}])
    assert json.dumps(Journal(tmp_path, 0, "now").read()[part]["b"]["answer"]) == '"y"'
