"""From composed YAML to the typed configuration, with one message for one mistake."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vilax.config.errors import ConfigError
from vilax.config.schema.base import Node
from vilax.config.walk import chosen_type, expectation, field_of, no_such_key, node_types

N = TypeVar("N", bound=Node)


def validate(schema: type[N], composed: Mapping[str, Any]) -> N:
    """The typed configuration.

    Raises:
        ConfigError: the first mistake found: key, value, what was expected, nearest name.
    """
    try:
        return schema.model_validate(composed)
    except ValidationError as error:
        details = error.errors(include_url=False)
        # A misspelt key also leaves its right spelling unset: the misspelling is the cause.
        details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
        raise explain(schema, composed, details[0]) from error


def explain(schema: type[Node], composed: Mapping[str, Any], detail: ErrorDetails) -> ConfigError:
    """One pydantic error in the words of the command line."""
    path, value, node = _locate(schema, composed, detail["loc"])
    key = ".".join(path)
    if detail["type"] == "extra_forbidden" and node is not None:
        return no_such_key(key, path[-1], node.model_fields, path[:-1])
    if detail["type"] == "missing":
        return ConfigError(f"{key} is missing: give it a value")
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        kinds = str((detail.get("ctx") or {}).get("expected_tags", ""))
        return ConfigError(f"{key}.kind={_kind(value)!r}: expected one of {kinds}")
    if detail["type"] == "value_error":
        message = detail["msg"].removeprefix("Value error, ")
        return ConfigError(f"{key + ': ' if key else ''}{message}")
    try:
        field = field_of(schema, key, composed)
    except ConfigError:
        field = None
    if field is not None:
        expected = expectation(field, field.annotation)
    else:
        expected = detail["msg"].removeprefix("Input should be ")
    return ConfigError(f"{key}={value!r}: expected {expected}")


def _kind(value: Any) -> Any:
    return value.get("kind") if isinstance(value, Mapping) else value


def _locate(
    schema: type[Node], composed: Mapping[str, Any], loc: tuple[int | str, ...]
) -> tuple[list[str], Any, type[Node] | None]:
    """The dotted path of an error (without union tags), the value there, and its parent node."""
    path: list[str] = []
    value: Any = composed
    node: type[Node] | None = schema
    parent: type[Node] | None = schema
    annotation: Any = None
    for part in loc:
        is_tag = isinstance(value, Mapping) and value.get("kind") == part and part not in value
        if is_tag:
            continue
        parent = node
        path.append(str(part))
        value = (
            value.get(part)
            if isinstance(value, Mapping)
            else (
                value[part] if isinstance(value, list | tuple) and isinstance(part, int) else value
            )
        )
        if node is not None and str(part) in node.model_fields:
            annotation = node.model_fields[str(part)].annotation
        elif get_origin(annotation) in (dict, tuple):
            annotation = get_args(annotation)[-1 if get_origin(annotation) is dict else 0]
        else:
            annotation = None
        node = chosen_type(node_types(annotation), value)
    return path, value, parent
