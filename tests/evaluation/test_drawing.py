"""Draws by a key."""

import hashlib
from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.drawing import drawn


@given(key=st.text(max_size=8), count=st.integers(0, 60))
def test_every_number_is_drawn_once_and_a_key_always_draws_the_same(key: str, count: int) -> None:
    order = list(drawn(key, count))
    assert sorted(order) == list(range(count))
    assert order == list(drawn(key, count))


@given(key=st.text(max_size=8), count=st.integers(1, 60))
def test_it_is_a_whole_shuffle_that_stops_early(key: str, count: int) -> None:
    cards = list(range(count))
    for step in range(count):
        number = int(hashlib.sha256(f"{key}/{step}".encode()).hexdigest()[:16], 16)
        other = step + number % (count - step)
        cards[step], cards[other] = cards[other], cards[step]
    assert list(drawn(key, count)) == cards


def test_a_draw_is_the_same_on_every_machine() -> None:
    assert list(drawn("7/q1", 10)) == [7, 1, 5, 9, 0, 2, 6, 8, 4, 3]


def test_the_first_few_of_very_many_are_not_looked_for() -> None:
    assert len(set(islice(drawn("x", 10**12), 100))) == 100


def test_orders_are_even() -> None:
    """1,200 draws of two of four: each of the twelve pairs some hundred times."""
    pairs = Counter(tuple(islice(drawn(str(key), 4), 2)) for key in range(1200))
    assert len(pairs) == 12
    assert all(60 < count < 140 for count in pairs.values())
