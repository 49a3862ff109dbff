"""Batches: every prompt once, what is shared is the same, within bounds, by the arguments alone."""

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.batches import FEWEST_SHARED, Batch, plan_batches

SPANS = {10: 3, 11: 1, 12: 5}
"""Visual tokens of the pictures: they differ where pictures come in tiles."""

PICTURE = [-200] * 3
A, B = (b"a", 3), (b"b", 3)


def test_prompts_without_common_shots_are_sorted_by_length() -> None:
    prompts = [list(range(at, at + length)) for at, length in enumerate((3, 9, 5, 9, 1, 7))]
    batches = plan_batches(prompts, [[]] * 6, range(6), size=4)
    assert batches == [Batch((1, 3, 5, 2), 0), Batch((0, 4), 0)]


def test_a_group_shares_its_shots_and_the_rest_does_not() -> None:
    shots = [9, *PICTURE, *range(10, 70), *PICTURE]
    prompts = [[*shots, 1, at] for at in range(20)] + [[at, 2, 3] for at in range(5)]
    shown = [[A, B]] * 20 + [[]] * 5
    batches = plan_batches(prompts, shown, ["shots"] * 20 + ["none"] * 5, size=10)
    assert [batch.shared for batch in batches] == [len(shots) + 1, len(shots) + 1, 0]
    assert sorted(batches[2].indices) == [20, 21, 22, 23, 24]


def test_the_same_tokens_with_another_picture_are_cut_before_it() -> None:
    start = [*range(3, 33), *PICTURE]
    prompts = [[*start, *PICTURE, 5]] * 20
    shown = [[A, (b"%d" % at, 3)] for at in range(20)]
    (batch,) = plan_batches(prompts, shown, [0] * 20, size=32)
    assert batch.shared == len(start)


def test_a_group_is_cut_before_a_picture_that_only_some_have_whole() -> None:
    # Equal tokens end one visual token into the last picture: a prompt needs one of its own.
    start = [*range(3, 33), *PICTURE]
    prompts = [[*start, *PICTURE]] * 20
    (batch,) = plan_batches(prompts, [[A, B]] * 20, [0] * 20, size=32)
    assert batch.shared == len(start)


def test_a_few_prompts_with_little_in_common_go_with_the_others() -> None:
    short = list(range(3, 3 + FEWEST_SHARED))
    pair = [[*short, 1], [*short, 2]]
    assert [batch.shared for batch in plan_batches(pair, [[]] * 2, [0, 0], size=32)] == [0]
    long = list(range(3, 1003))
    pair = [[*long, 1], [*long, 2]]
    assert [batch.shared for batch in plan_batches(pair, [[]] * 2, [0, 0], size=32)] == [1000]


def test_one_left_over_of_a_group_joins_the_others() -> None:
    start = list(range(3, 603))
    prompts = [[*start, at] for at in range(5)] + [[1, 2]]
    batches = plan_batches(prompts, [[]] * 6, [0, 0, 0, 0, 0, 1], size=4)
    assert batches == [Batch((0, 1, 2, 3), 600), Batch((4, 5), 0)]


def test_long_prompts_come_in_smaller_batches() -> None:
    prompts = [[1] * 10, [2] * 100, [3] * 40, [4] * 40, [5] * 10]
    batches = plan_batches(prompts, [[]] * 5, range(5), size=4, most_tokens=80)
    assert batches == [Batch((1,), 0), Batch((2, 3), 0), Batch((0, 4), 0)]


Prompt = tuple[list[int], list[tuple[bytes, int]]]


def _prompt(parts: list[int]) -> Prompt:
    """Tokens of words (0 to 3) and pictures (10 to 12)."""
    tokens = [token for part in parts for token in ([-200] * SPANS[part] if part >= 10 else [part])]
    return tokens, [(b"%d" % part, SPANS[part]) for part in parts if part >= 10]


PART = st.one_of(st.integers(0, 3), st.integers(10, 12))


@st.composite
def _prompts(draw: st.DrawFn) -> tuple[list[Prompt], list[int]]:
    starts = draw(st.lists(st.lists(PART, max_size=40), min_size=1, max_size=3))
    groups = draw(st.lists(st.integers(0, len(starts) - 1), max_size=40))
    own = st.lists(PART, min_size=1, max_size=6)
    return [_prompt([*starts[group], *draw(own)]) for group in groups], groups


@given(_prompts(), st.integers(1, 12), st.none() | st.integers(1, 400))
def test_batches_hold_each_prompt_once_and_share_only_what_is_the_same(
    drawn: tuple[list[Prompt], list[int]], size: int, most: int | None
) -> None:
    prompts, groups = drawn
    tokens, shown = [one[0] for one in prompts], [one[1] for one in prompts]
    batches = plan_batches(tokens, shown, groups, size, most_tokens=most)
    assert sorted(at for batch in batches for at in batch.indices) == list(range(len(prompts)))
    assert batches == plan_batches(
        [tuple(one) for one in tokens], [tuple(one) for one in shown], groups, size, most
    )
    for batch in batches:
        lengths = [len(tokens[at]) for at in batch.indices]
        assert all(one >= other for one, other in pairwise(lengths))
        assert len(lengths) <= size
        assert most is None or len(lengths) == 1 or len(lengths) * lengths[0] <= most
        if not batch.shared:
            continue
        assert batch.shared >= FEWEST_SHARED and len(lengths) >= 2
        assert len({groups[at] for at in batch.indices}) == 1
        assert min(lengths) > batch.shared
        visual = tokens[batch.indices[0]][: batch.shared].count(-200)
        ends = [0, *accumulate(span for _, span in shown[batch.indices[0]])]
        assert visual in ends
        starts = {
            (tuple(tokens[at][: batch.shared]), tuple(shown[at][: ends.index(visual)]))
            for at in batch.indices
        }
        assert len(starts) == 1
