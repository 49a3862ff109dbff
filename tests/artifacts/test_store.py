"""The stage store: nothing half-written, nothing made twice."""

import multiprocessing
import os
import signal
import time
from contextlib import suppress

import pytest

from tests.artifacts.makers import make
from vilax.artifacts.identity import SourceHash
from vilax.artifacts.store import StaleSource, Store
from vilax.config.errors import ConfigError

FORK = multiprocessing.get_context("fork")


def source_hash(text: str, **modules: str) -> SourceHash:
    made = SourceHash(text)
    made.modules = modules
    return made


def test_published_is_found_with_its_files(tmp_path) -> None:
    store = Store(tmp_path)
    entry = make(store, {"a": 1}, tokens=5)
    assert store.find("stage", entry.identity) == entry
    assert store.find("stage", "0" * 24) is None
    assert not entry.damaged()
    assert not list((tmp_path / "work").iterdir())
    (entry.folder / "w.txt").write_text("y")
    assert entry.damaged() == ["w.txt"]
    (entry.folder / "w.txt").unlink()
    assert entry.damaged() == ["w.txt"]
    assert [e.identity for e in store.entries()] == [entry.identity]


def test_other_source_code_is_refused_by_module_unless_versions_are_trusted(tmp_path) -> None:
    store = Store(tmp_path)
    old, new = source_hash("old", loss="1", packing="1"), source_hash("new", loss="2", packing="1")
    entry = make(store, {"a": 1}, sources=old)
    assert store.find("stage", entry.identity, sources=old) == entry
    with pytest.raises(
        StaleSource, match=r"source code of loss at .*store\.trust=versions"
    ) as told:
        store.find("stage", entry.identity, sources=new)
    assert "packing" not in str(told.value)
    assert isinstance(told.value, ConfigError)
    assert store.find("stage", entry.identity, sources=new, trust="versions") == entry


def test_an_entry_that_does_not_know_its_modules_is_refused_too(tmp_path) -> None:
    store = Store(tmp_path)
    entry = make(store, {"a": 1}, sources="old")
    with pytest.raises(StaleSource, match="by other source code at"):
        store.find("stage", entry.identity, sources=source_hash("new", loss="2"))


def test_prefix_of_an_identity(tmp_path) -> None:
    store = Store(tmp_path)
    entry = make(store, {"a": 1})
    assert store.resolve(entry.identity[:8]) == entry
    near = entry.identity[:6] + "zz"
    with pytest.raises(
        ConfigError, match=f"unknown identity '{near}'.*mean '{entry.identity[:12]}"
    ):
        store.resolve(near)
    make(store, {"a": 2})
    with pytest.raises(ConfigError, match="fits 2 results"):
        store.resolve("")


def test_a_damaged_record_names_its_folder(tmp_path) -> None:
    store = Store(tmp_path)
    entry = make(store, {"a": 1})
    (entry.folder / "entry.json").write_text("{")
    with pytest.raises(ConfigError, match=entry.identity):
        store.entries()


def test_what_another_has_published_meanwhile_stays(tmp_path) -> None:
    store = Store(tmp_path)
    first = make(store, {"a": 1})
    with store.claim("stage", first.identity, {"a": 1}) as claim:
        assert claim.entry == first
        (claim.result / "w.txt").write_text("other")
        assert claim.publish({"name": "late"}) == first
    assert (first.folder / "w.txt").read_text() == "x"
    assert not list((tmp_path / "work").iterdir())


def test_a_failed_block_publishes_nothing_and_keeps_its_folder(tmp_path) -> None:
    store = Store(tmp_path)
    with suppress(RuntimeError), store.claim("stage", "same", {}) as claim:
        (claim.folder / "resume").mkdir()
        raise RuntimeError("training stopped")
    assert store.find("stage", "same") is None
    assert (tmp_path / "work" / "stage-same" / "resume").is_dir()


def _claim_slowly(root, log) -> None:
    with Store(root).claim("stage", "same", {"a": 1}) as claim:
        if claim.entry is None:
            with log.open("a") as file:
                file.write("made\n")
            time.sleep(0.3)
            claim.publish({"name": "x"})


def test_three_processes_make_a_result_once(tmp_path) -> None:
    log = tmp_path / "log"
    workers = [FORK.Process(target=_claim_slowly, args=(tmp_path, log)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert log.read_text() == "made\n"
    assert [worker.exitcode for worker in workers] == [0, 0, 0]


def _hold(root, has_begun) -> None:
    with Store(root).claim("stage", "same", {"a": 1}) as claim:
        (claim.folder / "resume").mkdir()
        (claim.result / "half.txt").write_text("half")
        has_begun.set()
        time.sleep(60)


def test_a_waiter_takes_over_from_a_killed_holder(tmp_path, capfd) -> None:
    has_begun = FORK.Event()
    holder = FORK.Process(target=_hold, args=(tmp_path, has_begun))
    holder.start()
    assert has_begun.wait(30)
    store = Store(tmp_path)
    assert store.find("stage", "same") is None
    waiter = FORK.Process(target=_claim_slowly, args=(tmp_path, tmp_path / "log"))
    waiter.start()
    shown = ""
    deadline = time.monotonic() + 30
    while "waiting for" not in shown and time.monotonic() < deadline:
        shown += capfd.readouterr().err
        time.sleep(0.05)
    assert f"waiting for process {holder.pid} on " in shown
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(30)
    waiter.join(30)
    assert waiter.exitcode == 0
    entry = store.find("stage", "same")
    assert entry is not None
    # What the killed one had half written is no part of it.
    assert not entry.files


def test_a_killed_holder_leaves_its_checkpoints_and_nothing_visible(tmp_path) -> None:
    has_begun = FORK.Event()
    holder = FORK.Process(target=_hold, args=(tmp_path, has_begun))
    holder.start()
    assert has_begun.wait(30)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(30)
    store = Store(tmp_path)
    assert store.find("stage", "same") is None and not store.entries()
    began = time.monotonic()
    with store.claim("stage", "same", {"a": 1}) as claim:
        assert time.monotonic() - began < 10
        assert (claim.folder / "resume").is_dir()
        assert not list(claim.result.iterdir())


def _die_before_rename(root) -> None:
    from vilax.artifacts import store as module

    # The last thing before the rename: everything is staged, nothing may be seen.
    module.sync_tree = lambda _folder: os.kill(os.getpid(), signal.SIGKILL)
    make(Store(root), {"a": 1})


def test_killed_between_staging_and_publishing_nothing_is_visible(tmp_path) -> None:
    process = FORK.Process(target=_die_before_rename, args=(tmp_path,))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert list((tmp_path / "work").glob("*/result/entry.json"))
    store = Store(tmp_path)
    assert not store.entries()
    assert not make(store, {"a": 1}).damaged()
