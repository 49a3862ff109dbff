"""The stage store: nothing half-written, nothing made twice, differences in words."""

import json
import multiprocessing
import os
import signal
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vilax.artifacts.identity import canonical, identity, science_dump
from vilax.artifacts.store import StaleSource, Store, explain
from vilax.config.errors import ConfigError
from vilax.config.schema.execution import Trainer
from vilax.config.schema.stage import Stage

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(payload=st.dictionaries(st.text(), values))
@settings(max_examples=50)
def test_identity_survives_json_and_order(payload) -> None:
    again = json.loads(json.dumps(payload))
    backwards = dict(reversed(list(payload.items())))
    assert identity(payload) == identity(again) == identity(backwards)


@given(one=values, other=values)
@settings(max_examples=50)
def test_different_values_have_different_identities(one, other) -> None:
    same = canonical(one) == canonical(other)
    assert (identity({"x": one}) == identity({"x": other})) == same


def test_execution_keys_are_left_out() -> None:
    assert science_dump(Trainer()) == {"precision": "fp32"}
    assert science_dump(Trainer(devices=4, strategy="fsdp")) == science_dump(Trainer())
    assert science_dump(Stage(batch=4)) != science_dump(Stage())


def make(store: Store, inputs: dict, text: str = "x", **meta):
    with store.claim("stage", identity(inputs), inputs) as claim:
        if claim.entry is None:
            (claim.result / "w.txt").write_text(text)
            claim.publish({"name": "align"} | meta)
    return store.get("stage", identity(inputs))


def test_published_is_found_with_its_files(tmp_path) -> None:
    store = Store(tmp_path)
    entry = make(store, {"a": 1}, tokens=5)
    assert store.find("stage", entry.identity) == entry
    assert store.find("stage", "0" * 24) is None
    assert not entry.damaged()
    (entry.folder / "w.txt").write_text("y")
    assert entry.damaged() == ["w.txt"]
    assert [e.identity for e in store.entries()] == [entry.identity]


def test_other_source_code_is_refused_unless_versions_are_trusted(tmp_path) -> None:
    store = Store(tmp_path)
    entry = make(store, {"a": 1}, sources="old")
    assert store.find("stage", entry.identity, sources="old") == entry
    with pytest.raises(StaleSource, match=r"store\.trust=versions"):
        store.find("stage", entry.identity, sources="new")
    assert store.find("stage", entry.identity, sources="new", trust="versions") == entry


def _claim_slowly(root, log) -> None:
    store = Store(root)
    with store.claim("stage", "same", {"a": 1}) as claim:
        if claim.entry is None:
            with log.open("a") as file:
                file.write("made\n")
            time.sleep(0.3)
            claim.publish({"name": "x"})


def test_two_processes_make_a_result_once(tmp_path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    workers = [context.Process(target=_claim_slowly, args=(tmp_path, log)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert log.read_text() == "made\n"


def _die_holding(root) -> None:
    with Store(root).claim("stage", "same", {"a": 1}) as claim:
        (claim.folder / "resume").mkdir()
        (claim.result / "half.txt").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_holder_leaves_its_checkpoints_and_nothing_visible(tmp_path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_die_holding, args=(tmp_path,))
    process.start()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    store = Store(tmp_path)
    assert store.find("stage", "same") is None
    began = time.monotonic()
    with store.claim("stage", "same", {"a": 1}) as claim:
        assert time.monotonic() - began < 5
        assert (claim.folder / "resume").is_dir()
        assert not list(claim.result.iterdir())
        claim.publish({"name": "x"})
    assert store.find("stage", "same") is not None


def test_why_not_follows_lineage_in_words(tmp_path) -> None:
    store = Store(tmp_path)
    parents = [make(store, {"name": "align", "seed": seed, "parent": None}) for seed in (0, 1)]
    children = [
        make(store, {"stage": {"freeze": {"llm": mode}}, "parent": parent.identity})
        for parent, mode in zip(parents, ("frozen", "trained"), strict=True)
    ]
    assert explain(store, *children) == [
        "stage.freeze.llm: frozen in A, trained in B",
        "its parent align differs in seed: 0 in A, 1 in B",
    ]
    assert explain(store, children[0], children[0]) == []


def test_prefix_of_an_identity(tmp_path) -> None:
    store = Store(tmp_path)
    entry = make(store, {"a": 1})
    assert store.resolve(entry.identity[:8]) == entry
    with pytest.raises(ConfigError, match="unknown identity 'zzz'"):
        store.resolve("zzz")


def test_pruning_keeps_what_others_were_made_from(tmp_path, capsys) -> None:
    from vilax.cli.store import ancestors, remove

    store = Store(tmp_path)
    parent = make(store, {"a": 1, "parent": None})
    child = make(store, {"a": 2, "parent": parent.identity})
    assert ancestors(store, [child]) == {parent.identity}
    remove(store, [child.identity], None, really=False)
    assert len(store.entries()) == 2
    remove(store, [child.identity], None, really=True)
    assert store.entries() == [parent]
