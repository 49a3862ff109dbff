"""What a sweep's progress says: who needs a node, how long is left, what sharing saved."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.ablation.fakes import FakeStore, entry, freezing
from tests.ablation.test_executor import chain
from vilax.ablation.collect import Collected
from vilax.ablation.executor import Outcome
from vilax.ablation.graph import Graph, build
from vilax.ablation.pace import Pace
from vilax.ablation.progress import Display, clock, users
from vilax.ablation.savings import savings, sentences


def graph_of(**needs: tuple[str, ...]) -> Graph:
    return Graph({node.key: node for node in chain(**needs)}, {}, {}, {})


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["a/0", "b/0"], "a/0, b/0"),
        (["a/0", "control/0", "b/0", "c/0", "d/0"], "a+b+c+d; seed 0"),
        ([f"{arm}/{seed}" for arm in "abcdef" for seed in range(3)], "6 arms; 3 seeds"),
        (
            [f"{c}:{arm}/{s}" for c in ("freezing", "shots") for arm in "ab" for s in (0, 1)],
            "freezing a+b, shots a+b; 2 seeds",
        ),
        (
            [f"c{number}:arm/0" for number in range(13)],
            "c0 arm, c1 arm, 11 more comparisons; seed 0",
        ),
    ],
)
def test_labels_stay_short(labels: list[str], shown: str) -> None:
    (node,) = chain(one=())
    node.users = labels
    assert users(node) == shown


def test_a_label_is_cut_to_the_terminal() -> None:
    graph = graph_of(one=())
    graph.nodes["one"].users = [f"comparison_of_a_long_name_{n}:arm/0" for n in range(13)]
    out = StringIO()
    with Display(graph, Console(file=out, force_terminal=True, width=100)) as display:
        display.started(graph.nodes["one"])
        display._progress.refresh()
    assert "…" in out.getvalue()


def test_time_left_is_learnt_by_title_and_runs_as_wide_as_before() -> None:
    graph = graph_of(a=(), b=(), c=())
    graph.nodes["c"].cost = 3.0
    pace = Pace(graph)
    assert pace.left({}) is None
    pace.left({"a": 1.0, "b": 1.0})
    pace.ended(graph.nodes["a"], 10.0)
    # Two at once: 10 s of b, of which 4 are over, and 30 s of c, which is the longest chain.
    assert pace.left({"b": 4.0}) == pytest.approx(30.0)
    pace.ended(graph.nodes["b"], 10.0)
    assert pace.left({"c": 10.0}) == pytest.approx(20.0)


def test_a_result_that_was_found_teaches_nothing() -> None:
    graph = graph_of(a=(), b=(), c=())
    pace = Pace(graph)
    pace.ended(graph.nodes["a"], 100.0)
    pace.ended(graph.nodes["b"], 0.1)
    assert pace.left({}) == pytest.approx(100.0)


def test_stored_results_tell_how_long_the_rest_takes(tmp_path: Path) -> None:
    store = FakeStore()
    whole = build([freezing()], store.lookup())
    first = next(node for node in whole.nodes.values() if node.kind == "stage")
    store.put(first, tmp_path, {"name": first.stage, "seconds": 50.0})
    graph = build([freezing()], store.lookup())
    assert Pace(graph).left({}) is not None


def test_lines_of_a_log_say_how_long_is_left() -> None:
    graph = graph_of(a=(), b=())
    out = StringIO()
    with Display(graph, Console(file=out, width=100)) as display:
        display.started(graph.nodes["a"])
        display.ended(graph.nodes["a"], Outcome(90.0))
        display.started(graph.nodes["b"])
        display.ended(graph.nodes["b"], Outcome(90.0))
    assert "in 1:30; about 1:30 left" in out.getvalue().splitlines()[1]
    assert out.getvalue().splitlines()[3].endswith("in 1:30")


def test_clock() -> None:
    assert (clock(59.6), clock(3599), clock(3600)) == ("1:00", "59:59", "1:00:00")


def collected(tmp_path: Path) -> Collected:
    def made(kind: str, name: str, seconds: float) -> object:
        return entry(kind, name, tmp_path, {"name": kind, "seconds": seconds})

    results = {
        ("a", 0, "text"): made("stage", "base", 100.0),
        ("b", 0, "text"): made("stage", "base", 100.0),
        ("a", 0, "sft"): made("stage", "one", 20.0),
        ("b", 0, "sft"): made("stage", "two", 30.0),
        ("a", 0, "evaluation"): made("evaluation", "one", 5.0),
        ("b", 0, "evaluation"): made("evaluation", "two", 5.0),
    }
    return Collected(freezing(), {}, {}, {}, (), results)  # type: ignore[arg-type]


def test_savings_count_each_result_once(tmp_path: Path) -> None:
    one = collected(tmp_path)
    saved = savings([one])
    assert (saved.wanted, saved.distinct, saved.apart, saved.shared) == (6, 5, 260.0, 160.0)
    # The same arms in another comparison cost nothing with the store, and all of it without.
    both = savings([one, replace(one)])
    assert (both.wanted, both.distinct, both.apart, both.shared) == (12, 5, 520.0, 160.0)
    assert savings([one], {"text"}).apart == 60.0
    first, second = sentences([one])
    assert first.endswith("62 % (5 results in place of 6)")
    assert first.startswith("2:40 of work with the store, 4:20 without it: ")
    assert second == "stage text left out: 1:00 of work with the store, 1:00 without it: 100 %"
    assert sentences([]) == []
