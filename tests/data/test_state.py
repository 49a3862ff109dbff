"""States are JSON, and nothing but listed types comes back out of JSON."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.data.quarantine import Quarantine
from vilax.data.state import from_json, to_json


@dataclass
class Place:
    index: int
    current: int


RECORDS = {"Place": Place}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False)
    | st.builds(Place, st.integers(), st.integers()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
)


@given(values)
def test_round_trip(value: Any) -> None:
    written = json.loads(json.dumps(to_json(value, RECORDS)))
    assert from_json(written, RECORDS) == value


@pytest.mark.parametrize("form", [{"Other": [1]}, {}, {"a": 1, "b": 2}])
def test_other_forms_are_refused(form: Any) -> None:
    with pytest.raises(TypeError, match="not a data state"):
        from_json(form, RECORDS)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        to_json([1j], RECORDS)


def test_quarantine_notes_each_document_once(tmp_path: Any) -> None:
    path = tmp_path / "deep" / "q.jsonl"
    for _ in range(2):
        noted = Quarantine(path)
        noted.add("c", "0.tar", "k1", "why \udcff")
        noted.add("c", "0.tar", "k1", "again")
        noted.add("d", "0.tar", "k1", "other corpus", kept=True)
    with path.open("a") as file:
        file.write('{"corpus": "c", "ke')
    Quarantine(path).add("c", "0.tar", "k1", "why")
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in lines[:2]] == [
        {"corpus": "c", "shard": "0.tar", "key": "k1", "reason": "why \udcff", "kept": False},
        {"corpus": "d", "shard": "0.tar", "key": "k1", "reason": "other corpus", "kept": True},
    ]
    assert len(lines) == 3
