"""What ``report.json`` holds of the measurements on an arm; what else was measured is left out."""

from pydantic import ConfigDict, Field

from vilax.ablation.report.part import Part


class Measure(Part):
    """A part that may know more than the report shows."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Alignment(Measure):
    """Similarity of visual and textual embeddings by layer (VILA, Figure 3)."""

    layers: tuple[int, ...]
    values: tuple[float, ...]
    """Cosine similarity."""


class TextDrift(Measure):
    """Perplexity on text, after the arm's stages and before them."""

    perplexity: float
    base_perplexity: float
    """Of the base LLM."""


class LossByPosition(Measure):
    """Held-out loss by place in the document."""

    edges: tuple[float, ...]
    """Token positions between which a bin lies, one more than bins."""
    loss: tuple[float | None, ...]
    """Nats per token."""


class LossByImages(Measure):
    """Held-out loss by the number of pictures before the token."""

    images: tuple[int, ...]
    loss: tuple[float | None, ...]
    """Nats per token."""


class HeldOut(Measure):
    """Held-out loss of one corpus."""

    loss: float
    """Nats per supervised token."""


class Measured(Measure):
    """``measures.json`` of a stage, as far as the report shows it, and loss in training."""

    alignment: Alignment | None = None
    text_drift: TextDrift | None = None
    loss_by_position: LossByPosition | None = None
    loss_by_images: LossByImages | None = None
    held_out: dict[str, HeldOut] = Field(default_factory=dict)
    """By corpus."""
    training_loss: dict[str, float] = Field(default_factory=dict)
    """By stage, over the last half of its budget; nats per supervised token."""
