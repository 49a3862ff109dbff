"""Schema of measurements on a stage's result, which no task asks."""

from pydantic import Field

from vilax.config.schema.base import Node, execution


class Measures(Node):
    """What is measured on held-out documents."""

    documents: int = Field(64, ge=1)
    """Documents of each held-out corpus, the first ones."""
    alignment: bool = True
    """Similarity of visual and textual states at each layer (paper Figure 3)."""
    drift: bool = True
    """Perplexity on plain text beside that of the base LLM."""
    context: bool = True
    """Loss on pages by position, and by pictures before the token."""
    held_out: bool = True
    """Loss on each corpus of the stage's pretraining blend."""
    every_steps: int | None = execution(None, ge=1)
    """While training, measure alignment and losses every so many steps; null: at the end alone."""
