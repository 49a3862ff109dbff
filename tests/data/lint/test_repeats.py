"""Repeated values are found, in memory or through files."""

import pytest

from vilax.data.lint import repeats
from vilax.data.lint.repeats import Repeats, digest


@pytest.mark.parametrize("held", [1 << 19, 7])
def test_groups(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(repeats, "HELD", held)
    with Repeats() as values:
        for index in range(200):
            values.add(digest(str(index % 190).encode()), index)
        values.add(digest(b"once"), 200)
        for index in range(300, 310):
            values.add(2**64 - 1, index)
        values.add(2**64 - 1, 300)
        groups = values.groups()
    assert groups[:10] == [(2, [n, 190 + n]) for n in range(10)]
    assert groups[10] == (10, [300, 301, 302, 303, 304])
    assert len(groups) == 11


def test_nothing_repeats() -> None:
    with Repeats() as values:
        assert values.groups() == []
        values.add(1, 1)
        assert values.groups() == []
