"""Why two results differ, in the words and keys of a user."""

from tests.artifacts.makers import family, make
from tests.artifacts.test_store import source_hash
from vilax.artifacts.store import Store
from vilax.artifacts.why_not import ABSENT, differences, explain


def pretrain(store: Store, parent: str | None, mode: str, **meta: object):
    freeze = {"mode": mode} | ({"rank": 8} if mode == "adapted" else {})
    inputs = {"name": "pretrain", "stage": {"freeze": {"llm": freeze}}, "parent": parent}
    return make(store, inputs, **meta)


def test_keys_are_those_that_a_user_types(tmp_path) -> None:
    store = Store(tmp_path)
    one, other = pretrain(store, None, "frozen"), pretrain(store, None, "adapted")
    assert explain(store, one, other) == [
        "stages.pretrain.freeze.llm.mode: frozen in A, adapted in B",
        "stages.pretrain.freeze.llm.rank: absent in A, 8 in B",
    ]
    assert explain(store, one, one) == []


def test_lineage_is_followed_to_where_it_parts(tmp_path) -> None:
    store = Store(tmp_path)
    text = [make(store, {"name": "text", "stage": {"seed": seed}}) for seed in (0, 1)]
    align = [make(store, {"parent": parent.identity}) for parent in text]
    last = [
        pretrain(store, p.identity, m) for p, m in zip(align, ("frozen", "trained"), strict=True)
    ]
    score = [make(store, {"stage_identity": e.identity}, kind="evaluation") for e in last]
    assert explain(store, *score) == [
        "its parent pretrain differs in stages.pretrain.freeze.llm.mode: frozen in A, trained in B",
        "its ancestor text differs in seed: 0 in A, 1 in B",
    ]


def test_a_parent_that_is_gone_or_never_was_is_said(tmp_path) -> None:
    store = Store(tmp_path)
    align = make(store, {"seed": 0})
    one, other = pretrain(store, align.identity, "frozen"), pretrain(store, None, "frozen")
    assert explain(store, one, other) == [
        f"made from: stage align {align.identity[:12]} in A, nothing in B"
    ]
    store.remove(align)
    assert explain(store, one, other) == [
        f"made from: {align.identity[:12]}, no longer stored in A, nothing in B"
    ]


def test_kinds_and_source_code(tmp_path) -> None:
    store = Store(tmp_path)
    some = family(store)
    (line,) = explain(store, some["pretrain"], some["score"])
    assert line.startswith("kind: stage pretrain") and "evaluation pretrain" in line
    one = pretrain(store, None, "frozen", sources=source_hash("a", loss="1", packing="1"))
    other = pretrain(store, None, "trained", sources=source_hash("b", loss="2", packing="1"))
    assert explain(store, one, other)[1].startswith("source code of loss: a in A, b in B")


def test_differences_go_into_lists_of_one_length() -> None:
    one, other = {"x": [{"y": 1}, 2], "z": [1]}, {"x": [{"y": 3}, 2], "z": [1, 2], "n": None}
    found = list(differences(one, other))
    assert found == [("n", ABSENT, None), ("x.0.y", 1, 3), ("z", [1], [1, 2])]
