"""What every configuration node shares: strictness, and which keys shape results."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Part = str
"""Name of a trainable part of the model: ``encoder``, ``projector`` or ``llm``."""

PARTS: tuple[str, ...] = ("encoder", "projector", "llm")


class Node(BaseModel):
    """A configuration node: unknown keys refused, defaults validated, values immutable."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True
    )


def added(default: Any, **constraints: Any) -> Any:
    """A key that came after results were stored: at its default it is not hashed, so that they
    keep their identity.

    Args:
        default: the key's default value, which gives what was done before there was the key.
        **constraints: as for ``execution``.
    """
    return Field(default, json_schema_extra={"added": True}, **constraints)


def execution(default: Any, **constraints: Any) -> Any:
    """A key that changes how a run executes but never its results; it is not hashed.

    Args:
        default: the key's default value.
        **constraints: pydantic ``Field`` constraints such as ``ge`` and ``le``.
    """
    return Field(default, json_schema_extra={"execution": True}, **constraints)
