from collections import Counter
from pathlib import Path

from tests.ablation.fakes import FakeStore, freezing
from vilax.ablation.graph import build


def test_arms_share_stages() -> None:
    graph = build([freezing()], FakeStore().lookup())
    counts = Counter((node.kind, node.stage) for node in graph.nodes.values())
    assert counts == {
        ("data", ""): 1,
        ("pictures", ""): 1,
        ("stage", "text"): 1,
        ("stage", "align"): 2,
        ("stage", "pretrain"): 3,
        ("stage", "sft"): 4,
        ("evaluation", "sft"): 4,
        ("evaluation", "text"): 1,
    }
    shared = graph.stages["freezing", "a", 0][2]
    assert shared == graph.stages["freezing", "b", 0][2]
    assert graph.nodes[shared].users == ["a/0", "b/0"]


def test_seeds_share_the_base_llm_alone() -> None:
    graph = build([freezing((0, 1))], FakeStore().lookup())
    counts = Counter((node.kind, node.stage) for node in graph.nodes.values())
    assert counts["stage", "text"] == 1
    assert counts["stage", "align"] == 4
    assert counts["evaluation", "text"] == 2


def test_nodes_come_after_their_needs_and_the_most_shared_first() -> None:
    graph = build([freezing()], FakeStore().lookup())
    seen: set[str] = set()
    for node in graph.nodes.values():
        assert set(node.needs) <= seen
        seen.add(node.key)
    aligned = [node for node in graph.nodes.values() if node.stage == "align"]
    assert [len(node.users) for node in aligned] == [3, 1]


def test_all_stored_means_nothing_to_do_and_no_preparation(tmp_path: Path) -> None:
    store = FakeStore()
    for node in build([freezing()], store.lookup()).nodes.values():
        store.put(node, tmp_path)
    graph = build([freezing()], store.lookup())
    assert graph.pending == []
    assert {node.kind for node in graph.nodes.values()} == {"stage", "evaluation"}


def test_a_pending_evaluation_keeps_its_preparation(tmp_path: Path) -> None:
    store = FakeStore()
    for node in build([freezing()], store.lookup()).nodes.values():
        if node.kind == "stage":
            store.put(node, tmp_path)
    graph = build([freezing()], store.lookup())
    kinds = Counter(node.kind for node in graph.pending)
    assert kinds == {"data": 1, "pictures": 1, "evaluation": 5}


def test_two_comparisons_share_what_they_have_in_common() -> None:
    one, two = freezing(), freezing()
    graph = build([one, two], FakeStore().lookup())
    assert len(graph.nodes) == len(build([one], FakeStore().lookup()).nodes)
    assert "freezing:a/0" in graph.nodes[graph.stages["freezing", "a", 0][0]].users
