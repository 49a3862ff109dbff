"""Plain values come out of a pickle as they went in; nothing else comes out, and nothing runs."""

import copyreg
import functools
import io
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.convert.makers import pair
from vilax.data.convert import machine, unpickle
from vilax.data.convert.unpickle import Broken, Refused, items

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False)
    | st.text(max_size=8)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | inner.map(lambda value: [value, value])
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(VALUES | st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=6),
    st.integers(0, 5),
)
def test_what_went_in_comes_out(tmp_path_factory: Any, values: list[Any], protocol: int) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pkl"
    path.write_bytes(pickle.dumps([*values, *values[:1]], protocol))
    assert list(items(path)) == [*values, *values[:1]]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes_sets_and_text_beyond_ascii(tmp_path: Path, protocol: int) -> None:
    values = [{"b": b"\x00\xff" * 300, "t": "grüße 😀 \ud800", "big": 2**200, "f": 1e300}]
    assert read(tmp_path, pickle.dumps(values, protocol)) == values
    if protocol > 3:
        assert read(tmp_path, pickle.dumps([{1, 2}, frozenset("a")], protocol)) == [{1, 2}, {"a"}]
    if protocol == 5:
        assert read(tmp_path, pickle.dumps([bytearray(b"ab")], protocol)) == [b"ab"]


def test_what_python_2_wrote(tmp_path: Path) -> None:
    assert read(tmp_path, b"(lp0\n(dp1\nS'text'\np2\nS'a\\xc3\\xa9'\np3\nsa.") == [{"text": "aé"}]
    assert read(tmp_path, b"]U\x03abcaT\x02\x00\x00\x00\xff\xfeaL12L\naI01\na.") == [
        "abc", b"\xff\xfe", 12, True,
    ]  # fmt: skip


def read(tmp_path: Path, data: bytes) -> list[Any]:
    path = tmp_path / "x.pkl"
    path.write_bytes(data)
    return list(items(path))


class Call:
    """Runs a command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


class Stateful:
    """Built by NEWOBJ and BUILD."""

    def __init__(self) -> None:
        self.here = 1


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["call", "object", "partial", "class"])
def test_what_asks_for_more_is_refused_by_name(tmp_path: Path, kind: str, protocol: int) -> None:
    touched = tmp_path / "touched"
    evil, name = {
        "call": (Call(f"touch {touched}"), "posix.system"),
        "object": (Stateful(), "copy_reg" if protocol < 2 else "Stateful"),
        "partial": (functools.partial(print, "x"), "functools.partial"),
        "class": (Path, "Path"),
    }[kind]
    data = pickle.dumps([pair(0), {"text": evil}, pair(1)], protocol)
    with pytest.raises(Refused) as refused:
        read(tmp_path, data)
    assert name.split(".")[-1] in str(refused.value)
    opcode = data[refused.value.offset]
    assert opcode in (pickle.GLOBAL[0], pickle.STACK_GLOBAL[0])
    assert not touched.exists()


def test_extensions_and_persistent_objects_are_refused(tmp_path: Path) -> None:
    copyreg.add_extension(__name__, "Stateful", 4321)
    try:
        data = pickle.dumps([Stateful()], 2)
        with pytest.raises(Refused, match="extension 4321"):
            read(tmp_path, data)
    finally:
        copyreg.remove_extension(__name__, "Stateful", 4321)
    for protocol in (0, 4):
        out = io.BytesIO()
        pickler = pickle.Pickler(out, protocol)
        pickler.persistent_id = lambda value: "secret" if value == "x" else None  # type: ignore[method-assign, assignment]
        pickler.dump(["x"])
        with pytest.raises(Refused, match="PERSID"):
            read(tmp_path, out.getvalue())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"(ios\nsystem\n.", "os.system"),
        (b"](cos\nsystem\nS'id'\no.", "os.system"),
        (b"]}R.", "REDUCE"),
        (b"]}}b.", "BUILD"),
        (b"])\x81.", "NEWOBJ"),
        (b"](\x8c\x02os\x8c\x06system\x93.", "os.system"),
        (b"]\x97.", "NEXT_BUFFER"),
        (b"]\x82\x01.", "extension 1"),
        (b"]Pid\n.", "'id'"),
    ],
)
def test_each_dangerous_opcode(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"]", "ends before"),
        (b"]X\xff\xff\xff\x7fabc", "bytes are missing"),
        (b"]\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc", "bytes are missing"),
        (b"](Vabc", "ends within the line"),
        (b"]\x8a\xff", "bytes are missing"),
        (b"]" + b"(" * 5000 + b"l" * 5000 + b".", "in one another"),
        (b"]}]Ns.", "a list as a key"),
        (b"]})Ns.", "a tuple as a key"),
        (b"]jabcd.", "refers to value"),
        (b"]q\x00h\x00a.", "refers to itself"),
        (b"]2.", "refers to itself"),
        (b"}.", "expected a list"),
        (b"N.", "expected a list"),
        (b"0.", "missing"),
        (b"]a.", "missing"),
        (b"]u.", "mark is missing"),
        (b"]}(Nu.", "without a value"),
        (b"]Nua.", "mark is missing"),
        (b"]Fabc\n.", "not a number"),
        (b"]I" + b"9" * 5000 + b"\n.", "a number of"),
        (b"]\x8b\xff\xff\x00\x00" + b"\1" * 65535 + b".", "a number of"),
        (b"]X\x02\x00\x00\x00\xff\xffa.", "not UTF-8"),
        (b"]Sabc\n.", "quotes"),
        (b"](NN.", "left over"),
        (b"].]", "behind"),
        (b"]\x01.", "no opcode"),
        (b"PK\x03\x04" + b"\0" * 40, "PERSID|no opcode|ends|missing|left"),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(Broken, match=said):
        read(tmp_path, data)


def test_deep_tuples_and_shared_values_cost_little(tmp_path: Path) -> None:
    # Each twice in the next: walked as a tree it would be larger than any memory.
    bomb = b"](]" + b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(200))
    assert len(read(tmp_path, bomb + b"e.")) == 1
    assert len(read(tmp_path, b"](N" + b"\x85" * 400_000 + b"e.")) == 1


def test_more_than_the_limits_is_refused_before_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "RECORD_OPCODES", 10_000)
    with pytest.raises(Broken, match="more than 10,000 values"):
        read(tmp_path, b"](](" + b"N" * 11_000 + b"ee.")
    monkeypatch.setattr(machine, "RECORD_BYTES", 1000)
    with pytest.raises(Broken, match="or 1,000 bytes"):
        read(tmp_path, pickle.dumps([{"a": "x" * 600, "b": "y" * 600}]))
    monkeypatch.setattr(machine, "KEPT_BYTES", 5000)
    shared = ["x" * 900 + str(n) for n in range(9)]
    with pytest.raises(Broken, match="share more than"):
        read(tmp_path, pickle.dumps([{"a": one, "b": one} for one in shared]))
    monkeypatch.setattr(unpickle, "REFERENCES", 3)
    with pytest.raises(Broken, match="referred to again"):
        read(tmp_path, pickle.dumps([{"a": one, "b": one} for one in shared]))


@pytest.mark.parametrize("protocol", range(6))
def test_dicts_in_tuples_on_the_list_stay_together(tmp_path: Path, protocol: int) -> None:
    values = [({}, {"a": ({}, {})}), {}, [{}, {}], ({},), {"b": [{}, {}]}] * 700
    assert read(tmp_path, pickle.dumps(values, protocol)) == values


def test_what_stands_before_a_cut_is_read(tmp_path: Path) -> None:
    for protocol in (0, 2, 4):
        whole = [pair(n) for n in range(30)]
        data = pickle.dumps(whole, protocol)
        most = 0
        for cut in range(1, len(data) - 1, 997):
            path = tmp_path / "cut.pkl"
            path.write_bytes(data[:cut])
            found: list[Any] = []
            with pytest.raises(Broken):
                found.extend(items(path))
            assert found == whole[: len(found)]
            most = max(most, len(found))
        assert most >= 28


def test_a_shard_is_never_whole_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.pkl"
    path.write_bytes(pickle.dumps([{"text": str(n), "image": "x" * 20_000} for n in range(2500)]))
    tracemalloc.start()
    try:
        assert sum(1 for _ in items(path)) == 2500
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000 < path.stat().st_size / 20


def test_any_bytes_end_in_a_named_fault_or_plain_values(tmp_path: Path) -> None:
    import random

    rng = random.Random(0)
    data = bytearray(pickle.dumps([pair(n) | {"t": (1, "x")} for n in range(3)], 4))
    path = tmp_path / "fuzz.pkl"
    for _ in range(3000):
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            place = rng.randrange(len(changed)) if rng.random() < 0.3 else rng.randrange(90)
            changed[place] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            list(items(path))
        except Broken:
            continue
