"""Patterns and the automaton: the longest match, the first of equals, the same sets as ``re``."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.metrics.ptb_automaton import Automaton
from vilax.evaluation.metrics.ptb_patterns import Notation, inside, outside


def automaton(*patterns: str) -> Automaton:
    notation = Notation({"digit": lambda code: chr(code).isdigit()})
    return Automaton([notation.read(pattern) for pattern in patterns])


def test_the_longest_match_counts_not_the_first() -> None:
    assert automaton("ab", "a|abc").longest("xabcd", 1) == (1, 4)


def test_of_equals_the_first_counts() -> None:
    assert automaton("[a-z]+", "cat").longest("cats!", 0) == (0, 4)
    assert automaton("cat", "[a-z]+").longest("cat!", 0) == (0, 3)


def test_a_longer_try_that_fails_gives_the_last_that_held() -> None:
    assert automaton("a(bc)*").longest("abcbx", 0) == (0, 3)


def test_no_match_is_an_error() -> None:
    with pytest.raises(ValueError, match="no pattern"):
        automaton("a").longest("b", 0)


def test_letters_stand_for_both_cases_but_not_in_brackets() -> None:
    found = automaton("ok[a]")
    assert [found.matches(text) for text in ("OKa", "ok\u0061", "okA")] == [True, True, False]
    assert found.matches("o\u212aa")


def test_names_stand_for_whole_patterns() -> None:
    notation = Notation({})
    notation.define("either", "a|b")
    found = Automaton([notation.read("{either}{2}c")])
    assert found.matches("abc")
    assert not found.matches("ac")


def test_a_closing_bracket_alone_is_an_error() -> None:
    with pytest.raises(ValueError, match="left over"):
        Notation({}).read("a)b")


def test_sets() -> None:
    assert [inside(r"a-c\-\]\u00e9-")(ord(char)) for char in "abc-]\u00e9d"] == [True] * 6 + [False]
    assert outside("a-c")(ord("d"))
    assert not outside("a-c")(ord("b"))


@pytest.mark.parametrize(
    "pattern",
    [
        "a*b+c?",
        "(ab|a)(c|bcd)*",
        "[ab]{2,3}[^b]",
        "a{2}|b{0,2}",
        r"(a\.b|\.+)*",
        "((a|b)?c)+",
        "a|",
    ],
)
@given(text=st.text(alphabet="abcd.", max_size=8))
def test_takes_what_re_takes(pattern: str, text: str) -> None:
    assert automaton(pattern).matches(text) == bool(re.fullmatch(pattern, text))
