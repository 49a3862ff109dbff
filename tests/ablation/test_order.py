"""The order of work, on small graphs and on the comparisons themselves."""

from tests.ablation.fakes import FakeStore, freezing
from tests.ablation.test_executor import chain
from vilax.ablation.comparison import resolve
from vilax.ablation.graph import Node, build
from vilax.ablation.order import in_order, rounds


def ordered(nodes: list[Node], rounds: list[list[set[str]]]) -> list[str]:
    return list(in_order({node.key: node for node in nodes}, rounds))


def test_the_cheapest_claim_comes_first_with_what_it_needs() -> None:
    nodes = chain(text=(), long=("text",), e_long=("long",), short=("text",), e_short=("short",))
    nodes[1].cost = 50.0
    assert ordered(nodes, [[{"e_long"}, {"e_short"}]]) == [
        "text",
        "short",
        "e_short",
        "long",
        "e_long",
    ]


def test_work_that_claims_share_counts_once_it_is_done_for_none() -> None:
    # The second claim costs more alone, and less once the first has paid for the shared stage.
    nodes = chain(shared=(), a=("shared",), b=("shared",), other=())
    nodes[0].cost, nodes[3].cost = 2.0, 2.5
    assert ordered(nodes, [[{"a"}, {"b"}, {"other"}]]) == ["other", "shared", "a", "b"]
    nodes[3].cost = 3.5
    assert ordered(nodes, [[{"a"}, {"b"}, {"other"}]]) == ["shared", "a", "b", "other"]


def test_the_most_shared_comes_first_on_the_way() -> None:
    nodes = chain(lonely=(), shared=(), end=("lonely", "shared"))
    nodes[1].users = ["a/0", "b/0"]
    assert ordered(nodes, [[{"end"}]]) == ["shared", "lonely", "end"]


def test_data_and_pictures_come_first() -> None:
    """They want all threads: behind a stage they would leave one idle until it ends."""
    nodes = chain(
        world=(), near=("world",), a=("near",), e_a=("a",), far=("world",), b=("far",), e_b=("b",)
    )
    nodes[0].kind, nodes[1].kind, nodes[4].kind = "data", "pictures", "pictures"
    assert ordered(nodes, [[{"e_a"}, {"e_b"}]])[:3] == ["world", "near", "far"]
    graph = build([freezing((0, 1))], FakeStore().lookup())
    kinds = [node.kind for node in graph.nodes.values()]
    assert "pictures" in kinds and "stage" not in kinds[: kinds.index("pictures")]


def test_what_no_claim_needs_comes_last_but_comes() -> None:
    assert ordered(chain(extra=(), wanted=()), [[{"wanted"}]]) == ["wanted", "extra"]


def test_every_arm_has_its_first_seed_before_any_has_its_second() -> None:
    graph = build([freezing((0, 1))], FakeStore().lookup())
    place = {key: number for number, key in enumerate(graph.nodes)}
    last = max(place[key] for (_, _, seed), key in graph.evaluations.items() if seed == 0)
    first = min(place[key] for (_, _, seed), key in graph.evaluations.items() if seed == 1)
    assert last < first


def test_a_claim_can_be_judged_before_all_arms_are_done() -> None:
    """Both arms of some claim and the control are evaluated while other arms have not begun."""
    graph = build([freezing()], FakeStore().lookup())
    keys = list(graph.nodes)
    evaluated = [key for key in keys if graph.nodes[key].kind == "evaluation"]
    assert len(evaluated) == 5
    second_arm = keys.index(evaluated[2])
    later = [key for key in keys[second_arm:] if graph.nodes[key].kind == "stage"]
    assert later


def test_a_claim_waits_for_what_its_endpoint_is_read_from() -> None:
    corpus = resolve("corpus")
    places = [("corpus", arm, 0) for arm in corpus.arms]
    evaluated, measured = ({place: f"{kind}:{place[1]}" for place in places} for kind in "em")
    trained = {place: {"align": "shared", "pretrain": f"p:{place[1]}"} for place in places}
    goals = rounds([corpus], evaluated, measured, {}, trained)[0]
    wanted = dict(zip(corpus.comparison.claims, goals, strict=False))
    assert wanted["interleaving_not_text"] == {"e:pages", "e:page_pairs"}
    assert wanted["pages_are_easier"] == {"m:pages", "m:page_pairs"}
    assert wanted["pages_train_lower"] == {"p:pages", "p:page_pairs"}
    assert goals[-1] == {*evaluated.values(), *measured.values()}
