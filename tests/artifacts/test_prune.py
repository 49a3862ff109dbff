"""Pruning: what stays keeps all that it was made from."""

import os
import time

from tests.artifacts.makers import family, make
from vilax.artifacts import prune
from vilax.artifacts.store import Store


def names(store: Store, **asked: object) -> list[str]:
    return [entry.label.rsplit(" ", 1)[0] for entry in prune.plan(store, **asked).remove]


def test_an_ancestor_of_what_stays_is_spared_with_a_reason(tmp_path) -> None:
    store = Store(tmp_path)
    some = family(store)
    plan = prune.plan(store, identities=[some["align"].identity])
    assert not plan.remove
    ((entry, reason),) = plan.spared
    assert entry == some["align"]
    assert reason.endswith("which stays, was made from it")
    prune.carry_out(store, plan)
    assert len(store.entries()) == 4


def test_with_descendants_children_go_first(tmp_path) -> None:
    store = Store(tmp_path)
    some = family(store)
    asked = {"identities": [some["align"].identity], "descendants": True}
    assert names(store, **asked) == [
        "evaluation pretrain",
        "stage other",
        "stage pretrain",
        "stage align",
    ]
    asked["keep"] = [some["other"].identity]
    plan = prune.plan(store, **asked)
    prune.carry_out(store, plan)
    assert store.entries() == [some["align"], some["other"]]
    assert not list((tmp_path / "work").iterdir())


def test_unreachable_is_what_no_evaluation_and_no_kept_one_needs(tmp_path) -> None:
    store = Store(tmp_path)
    some = family(store)
    assert names(store, unreachable=True) == ["stage other"]
    assert names(store, unreachable=True, keep=[some["other"].identity]) == []


def test_age_spares_young_results_and_their_ancestors(tmp_path) -> None:
    store = Store(tmp_path)
    old = time.time() - 10 * prune.DAY
    align = make(store, {"seed": 0}, created=old)
    make(store, {"name": "lonely"}, created=old)
    make(store, {"name": "sft", "parent": align.identity})
    assert names(store, older_than=5) == ["stage lonely"]
    assert names(store, older_than=20) == []


def test_leftovers_go_but_not_what_may_be_resumed(tmp_path) -> None:
    store = Store(tmp_path)
    entry = make(store, {"a": 1})
    work = tmp_path / "work"
    folders = ["removed-x", f"stage-{entry.identity}", "stage-killed", "stage-ancient"]
    for name in folders:
        (work / name / "resume").mkdir(parents=True)
    for path in (work / "stage-ancient" / "resume", work / "stage-ancient"):
        os.utime(path, (0, 0))
    # Untouched for years, but somebody is at it.
    with store.claim("stage", "held", {}) as claim:
        for path in (claim.result, claim.folder):
            os.utime(path, (0, 0))
        plan = prune.plan(store)
        assert [f.name for f in plan.leftovers] == ["removed-x", f"stage-{entry.identity}"]
        assert plan.busy == (
            f"process {os.getpid()} on {os.uname().nodename} to finish stage-held",
        )
        plan = prune.plan(store, older_than=9)
        prune.carry_out(store, plan)
        assert sorted(f.name for f in work.iterdir()) == ["stage-held", "stage-killed"]
