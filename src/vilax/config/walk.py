"""Walking the schema: which node a dotted key names, given what has been composed so far."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from vilax.config.errors import ConfigError, nearest
from vilax.config.schema.base import Node


def node_types(annotation: Any) -> list[type[Node]]:
    """The node classes that an annotation admits, through unions, dicts and Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return node_types(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [node for arg in get_args(annotation) for node in node_types(arg)]
    if isinstance(annotation, type) and issubclass(annotation, Node):
        return [annotation]
    return []


def chosen_type(candidates: list[type[Node]], value: Any) -> type[Node] | None:
    """The class of a tagged union that the composed value's ``kind`` selects."""
    if len(candidates) <= 1:
        return candidates[0] if candidates else None
    kind = value.get("kind") if isinstance(value, Mapping) else None
    for candidate in candidates:
        if candidate.model_fields["kind"].default == kind:
            return candidate
    return None


def field_of(root: type[Node], key: str, composed: Mapping[str, Any]) -> FieldInfo | None:
    """The field that a dotted key names; None where it lies inside a free-form mapping.

    Raises:
        ConfigError: there is no such key, naming the nearest.
    """
    node: type[Node] | None = root
    value: Any = composed
    annotation: Any = None
    field: FieldInfo | None = None
    done: list[str] = []
    names = key.split(".")
    for name in names:
        if node is not None:
            if name not in node.model_fields:
                raise no_such_key(".".join([*done, name]), name, node.model_fields, done)
            field = node.model_fields[name]
            annotation = field.annotation
        elif get_origin(annotation) is dict:
            inner = get_args(annotation)[1]
            # A value inside an entry that is not there: only a plain node can start from defaults.
            is_inside = len(done) + 1 < len(names) and len(node_types(inner)) > 1
            if (done == ["stages"] or is_inside) and name not in (value or {}):
                raise no_such_key(".".join([*done, name]), name, value or {}, done)
            annotation = inner
            field = None
        else:
            raise ConfigError(f"key {key}: {'.'.join(done)} is a plain value and has no {name!r}")
        done.append(name)
        value = value.get(name) if isinstance(value, Mapping) else None
        candidates = node_types(annotation)
        node = chosen_type(candidates, value)
        if node is None and candidates:
            node = candidates[0] if len(candidates) == 1 else None
    return field


def no_such_key(key: str, name: str, choices: Any, parents: list[str]) -> ConfigError:
    """The error for a misspelt key."""
    guess = nearest(name, choices)
    prefix = ".".join([*parents, ""])
    owner = ".".join(parents) or "the top level"
    hint = f"; did you mean {prefix}{guess}?" if guess else ""
    listed = ", ".join(sorted(choices)) or "nothing"
    return ConfigError(f"unknown key {key}{hint or ';'} {owner} has: {listed}")


def expectation(field: FieldInfo | None, annotation: Any) -> str:
    """What a field takes, in words: type, range, or choices."""
    words = _type_words(annotation)
    low = high = None
    if any(getattr(limit, "min_length", None) for limit in (field.metadata if field else [])):
        words += ", not empty"
    for limit in field.metadata if field is not None else []:
        for name, sign in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below")):
            bound = getattr(limit, name, None)
            if bound is not None and name in ("ge", "gt"):
                low = f"{sign} {bound:g}"
            elif bound is not None:
                high = f"{sign} {bound:g}"
    limits = " and ".join(part for part in (low, high) if part)
    return f"{words}, {limits}" if limits else words


def _type_words(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_words(get_args(annotation)[0])
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_type_words(arg) for arg in get_args(annotation))
    if origin is tuple:
        return "a list, each " + _type_words(get_args(annotation)[0])
    if origin is dict:
        return "a mapping of names to " + _type_words(get_args(annotation)[1])
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if annotation in plain:
        return plain[annotation]
    if annotation is type(None):
        return "null"
    return f"the keys of {getattr(annotation, '__name__', annotation)}"
