"""The data engine's state as JSON: an allow-list of plain types, no pickle."""

import base64
from typing import Any

from megatron.energon.flavors.webdataset.sample_loader import SliceState
from megatron.energon.state import FlexState


def to_json(value: Any) -> Any:
    """JSON form of a state of nested plain values.

    Raises:
        TypeError: a type outside the allow-list.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [to_json(item) for item in value]}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {"dict": {str(name): to_json(item) for name, item in value.items()}}
    if isinstance(value, SliceState):
        return {"slice": [value.index, value.current]}
    raise TypeError(f"a data state holds {type(value).__name__}, which has no JSON form")


def from_json(value: Any) -> Any:
    """The state that ``to_json`` wrote.

    Raises:
        TypeError: not such a form.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict) and len(value) == 1:
        ((kind, inner),) = value.items()
        if kind == "tuple":
            return tuple(from_json(item) for item in inner)
        if kind == "bytes":
            return base64.b64decode(inner, validate=True)
        if kind == "dict":
            return FlexState({name: from_json(item) for name, item in inner.items()})
        if kind == "slice":
            return SliceState(index=int(inner[0]), current=int(inner[1]))
    raise TypeError("not a data state")
