"""Why two results are not the same one, in words and by the keys that a user types."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vilax.artifacts.store import Entry, Store

ABSENT = object()
LONGEST = 100

SPELLINGS = {
    "stage.seed": "seed",
    "settings.seed": "seed",
    "stage.": "stages.{name}.",
    "settings.": "evaluation.",
    "model.": "",
    "precision": "trainer.precision",
    "templates.": "template of corpus ",
    "data.": "content of corpus ",
    "data": "evaluation data",
    "versions.": "version of component ",
}
"""Beginnings of keys in what an identity hashes, and how a user knows them; the first fits."""


def explain(store: Store, one: Entry, other: Entry) -> list[str]:
    """In words, which inputs make two results different, through their lineage.

    Args:
        store: where the parents of both are looked up.
        one: called A in the words.
        other: called B in the words.

    Returns:
        One line per key, nearest stage first; none for one and the same result.
    """
    if one.kind != other.kind:
        return [f"kind: {one.label} in A, {other.label} in B"]
    lines: list[str] = []
    where = ""
    while one.identity != other.identity:
        lines += [where + line for line in _own_differences(one, other)]
        if one.parent == other.parent:
            break
        above, beside = store.parent(one), store.parent(other)
        if above is None or beside is None:
            shown = [_parent(store, entry) for entry in (one, other)]
            lines.append(f"{where}made from: {shown[0]} in A, {shown[1]} in B")
            break
        relation = "parent" if not where else "ancestor"
        one, other = above, beside
        where = f"its {relation} {one.meta.get('name')} differs in "
    return lines


def _own_differences(one: Entry, other: Entry) -> Iterator[str]:
    for key, first, second in differences(one.inputs, other.inputs):
        if key not in ("parent", "stage_identity"):
            yield f"{_spelling(one, key)}: {_words(first)} in A, {_words(second)} in B"
    made_by = [entry.meta.get("sources") for entry in (one, other)]
    if None not in made_by and made_by[0] != made_by[1]:
        modules = [dict(e.meta.get("source_modules", {})) for e in (one, other)]
        changed = sorted(m for m in {*modules[0], *modules[1]} if _differ(m, *modules))
        named = f" of {', '.join(changed)}" if all(modules) and changed else ""
        yield (
            f"source code{named}: {made_by[0]} in A, {made_by[1]} in B (in neither identity; reuse"
            " by the other's code needs store.trust=versions)"
        )


def _differ(key: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(one.get(key) != other.get(key))


def _parent(store: Store, entry: Entry) -> str:
    if entry.parent is None:
        return "nothing"
    found = store.parent(entry)
    return f"{entry.parent[:12]}, no longer stored" if found is None else found.label


def _spelling(entry: Entry, key: str) -> str:
    for begin, shown in SPELLINGS.items():
        if key == begin or (begin.endswith(".") and key.startswith(begin)):
            return shown.format(name=entry.inputs.get("name")) + key[len(begin) :]
    return key


def _words(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def differences(one: Any, other: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted key and both values wherever two JSON values differ; ``ABSENT`` where there is none.

    Lists of equal length are compared item by item, others as a whole.
    """
    dot = f"{prefix}." if prefix else ""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            first, second = one.get(key, ABSENT), other.get(key, ABSENT)
            yield from differences(first, second, f"{dot}{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from differences(first, second, f"{dot}{index}")
    elif one is ABSENT or other is ABSENT or one != other:
        yield prefix, one, other
