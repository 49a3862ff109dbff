"""Nested plain values as JSON and back: an allow-list of types, no pickle."""

import base64
import dataclasses
from collections.abc import Mapping
from typing import Any


def to_json(value: Any, records: Mapping[str, type]) -> Any:
    """JSON form of nested plain values.

    Args:
        value: None, bool, int, float, str, bytes, list, tuple, dict with text keys, or a record.
        records: dataclasses that may occur, by the name they are written under.

    Raises:
        TypeError: a type outside the allow-list.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [to_json(item, records) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [to_json(item, records) for item in value]}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {"dict": {str(name): to_json(item, records) for name, item in value.items()}}
    for name, record in records.items():
        if type(value) is record:
            fields = [f.name for f in dataclasses.fields(record)]
            return {name: [to_json(getattr(value, f), records) for f in fields]}
    raise TypeError(f"a data state holds {type(value).__name__}, which has no JSON form")


def from_json(value: Any, records: Mapping[str, type]) -> Any:
    """The values that ``to_json`` wrote.

    Raises:
        TypeError: not such a form.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [from_json(item, records) for item in value]
    if isinstance(value, dict) and len(value) == 1:
        ((kind, inner),) = value.items()
        if kind == "tuple":
            return tuple(from_json(item, records) for item in inner)
        if kind == "bytes":
            return base64.b64decode(inner, validate=True)
        if kind == "dict":
            return {name: from_json(item, records) for name, item in inner.items()}
        if kind in records:
            fields = [f.name for f in dataclasses.fields(records[kind])]
            values = [from_json(item, records) for item in inner]
            return records[kind](**dict(zip(fields, values, strict=True)))
    raise TypeError("not a data state")
