"""Results for tests of the store."""

from typing import Any

from vilax.artifacts.identity import identity
from vilax.artifacts.store import Entry, Store


def make(store: Store, inputs: dict[str, Any], kind: str = "stage", **meta: Any) -> Entry:
    """Publish one file under the identity of ``inputs``, which get kind and name."""
    inputs = {"kind": kind, "name": "align"} | inputs
    with store.claim(kind, identity(inputs), inputs) as claim:
        if claim.entry is None:
            (claim.result / "w.txt").write_text("x")
            claim.publish({"name": inputs["name"]} | meta)
    return store.get(kind, identity(inputs))


def family(store: Store) -> dict[str, Entry]:
    """Two lines: align - pretrain - its evaluation, and align - other, never evaluated."""
    align = make(store, {"seed": 0})
    pretrain = make(store, {"name": "pretrain", "parent": align.identity})
    other = make(store, {"name": "other", "parent": align.identity})
    score = make(
        store, {"name": "pretrain", "stage_identity": pretrain.identity}, kind="evaluation"
    )
    return {"align": align, "pretrain": pretrain, "other": other, "score": score}
