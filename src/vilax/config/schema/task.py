"""Schema of what tasks of every kind share."""

from pydantic import Field

from vilax.config.schema.base import Node


class TaskBase(Node):
    """Keys that tasks of every kind share."""

    items: int | None = Field(300, ge=1)
    """Test items at most; the same ones for every seed and arm."""
    shots: tuple[int, ...] = (0, 2, 4, 8)
    """Numbers of examples in the prompt."""
