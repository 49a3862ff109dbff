"""Comparisons whose data do not lie here are planned all the same."""

from pathlib import Path

import pytest

from vilax.ablation.comparison import resolve
from vilax.ablation.elsewhere import planning_lookup
from vilax.ablation.graph import build, store_lookup
from vilax.config.errors import ConfigError


def test_arms_share_stages_without_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    paper = resolve("freezing", scale="paper")
    with pytest.raises(ConfigError):
        build([paper], store_lookup())
    graph = build([paper], planning_lookup())
    stages = [node for node in graph.nodes.values() if node.kind == "stage"]
    # Align is shared by the three arms of one projector, pretrain by the two whose LLM is frozen.
    assert sorted(len(n.users) for n in stages if n.stage == "align") == [1, 3]
    assert sorted(len(n.users) for n in stages if n.stage == "pretrain") == [1, 1, 2]
    assert sum(node.kind == "evaluation" for node in graph.nodes.values()) == 4
    # Nothing of it is in the micro world.
    assert not any(node.kind == "data" for node in graph.nodes.values())


def test_where_the_data_lie_identities_are_the_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    micro = resolve("freezing")
    assert build([micro], planning_lookup()).nodes == build([micro], store_lookup()).nodes
