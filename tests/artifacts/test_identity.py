"""Identities change when, and only when, something that shapes results does."""

import json
import sys
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vilax.artifacts.identity import (
    VERSIONS,
    canonical,
    identity,
    science_dump,
    sources_hash,
    versions,
)
from vilax.config.schema.base import Node, execution
from vilax.config.schema.execution import Trainer
from vilax.config.schema.stage import Stage

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class Fast(Node):
    kind: Literal["fast"] = "fast"
    rate: float = 0.0
    threads: int = execution(1)


class Slow(Node):
    kind: Literal["slow"] = "slow"
    rate: float = 0.0


class Sample(Node):
    one: Fast | Slow
    named: dict[str, Fast]
    order: tuple[Fast | Slow, ...]
    size: int | None
    note: str = execution("")


small = st.integers(0, 2)
rates = st.sampled_from([0.0, 0.5, 1e-4])
fast = st.builds(Fast, rate=rates, threads=small)
either = fast | st.builds(Slow, rate=rates)
samples = st.builds(
    Sample,
    one=either,
    named=st.dictionaries(st.sampled_from(["a", "b"]), fast, max_size=2),
    order=st.lists(either, max_size=2).map(tuple),
    size=st.none() | small,
    note=st.sampled_from(["", "x"]),
)


def without_execution(sample: Sample) -> Sample:
    def still(node: Fast | Slow) -> Fast | Slow:
        return node.model_copy(update={"threads": 0}) if isinstance(node, Fast) else node

    return Sample(
        one=still(sample.one),
        named={name: still(node) for name, node in sample.named.items()},
        order=tuple(still(node) for node in sample.order),
        size=sample.size,
    )


@given(one=samples, other=samples)
@settings(max_examples=150, deadline=None)
def test_identity_is_that_of_the_science_keys(one: Sample, other: Sample) -> None:
    is_same = identity(science_dump(one)) == identity(science_dump(other))
    assert is_same == (without_execution(one) == without_execution(other))


@given(sample=samples, threads=st.integers(3, 9))
@settings(max_examples=30, deadline=None)
def test_execution_keys_never_count_at_any_depth(sample: Sample, threads: int) -> None:
    changed = sample.model_copy(
        update={
            "note": "other",
            "named": {
                n: f.model_copy(update={"threads": threads}) for n, f in sample.named.items()
            },
            "order": tuple(
                node.model_copy(update={"threads": threads}) if isinstance(node, Fast) else node
                for node in sample.order
            ),
        }
    )
    assert identity(science_dump(changed)) == identity(science_dump(sample))


@given(payload=st.dictionaries(st.text(), values))
@settings(max_examples=50, deadline=None)
def test_identity_survives_json_and_order(payload) -> None:
    again = json.loads(json.dumps(payload))
    backwards = dict(reversed(list(payload.items())))
    assert identity(payload) == identity(again) == identity(backwards)


def test_what_is_no_json_is_refused() -> None:
    assert canonical({"a": (1, 2)}) == canonical({"a": [1, 2]})
    with pytest.raises(TypeError):
        identity({"data": Path("corpus")})
    with pytest.raises(ValueError, match="JSON compliant"):
        identity({"rate": float("nan")})


def test_the_real_schema_leaves_execution_keys_out() -> None:
    assert science_dump(Trainer()) == {"precision": "fp32"}
    assert science_dump(Trainer(devices=4, strategy="fsdp")) == science_dump(Trainer())
    assert science_dump(Stage(batch=4)) != science_dump(Stage())


def test_source_hash_follows_source_and_names_the_module(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "hashed_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("x = 1\n")
    (tmp_path / "hashed_module.py").write_text("y = 1\n")
    modules = ("hashed_package", "hashed_module")
    before = sources_hash(modules)
    assert sources_hash(modules) == before
    (package / "inner.py").write_text("x = 2\n")
    sources_hash.cache_clear()
    after = sources_hash(modules)
    assert before != after
    assert before.modules["hashed_package"] != after.modules["hashed_package"]
    assert before.modules["hashed_module"] == after.modules["hashed_module"]
    assert "hashed_module" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        sources_hash(("no_such_module_here",))


def test_only_results_of_cropped_pictures_have_the_version_of_the_crop() -> None:
    assert versions(("prompt",), "pad") == versions(("prompt",)) == {"prompt": VERSIONS["prompt"]}
    assert versions(("prompt",), "crop") == {"prompt": VERSIONS["prompt"], "crop": VERSIONS["crop"]}
