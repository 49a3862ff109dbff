"""Schema of a stage: what is trained, on what, for how long."""

from typing import Literal

from pydantic import Field, model_validator

from vilax.config.schema.base import Node
from vilax.config.schema.data import Blend
from vilax.config.schema.model import Freeze


class Budget(Node):
    """How much a stage sees; exactly one of the three is given."""

    tokens: int | None = Field(None, ge=1)
    """Tokens, text and visual, without padding."""
    documents: int | None = Field(None, ge=1)
    """Documents; each piece of a split one counts."""
    images: int | None = Field(None, ge=1)
    """Pictures."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Budget":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("give exactly one of tokens, documents and images")
        return self

    @property
    def kind(self) -> str:
        """What is counted: ``tokens``, ``documents`` or ``images``."""
        return next(iter(self.model_dump(exclude_none=True)))

    @property
    def amount(self) -> int:
        """How much of it."""
        return int(getattr(self, self.kind))


class Rates(Node):
    """Learning rate of each part, where it is trained or adapted."""

    encoder: float = Field(2e-5, gt=0, le=10)
    """Peak learning rate of the encoder."""
    projector: float = Field(1e-3, gt=0, le=10)
    """Peak learning rate of the projector."""
    llm: float = Field(5e-5, gt=0, le=10)
    """Peak learning rate of the language model."""


class Schedule(Node):
    """Learning rate as a function of the share of the budget that is used."""

    kind: Literal["cosine", "linear", "constant"] = "cosine"
    """Shape after warm-up."""
    warmup: float = Field(0.03, ge=0, lt=1)
    """Share of the budget in which the rate rises linearly from 0."""
    floor: float = Field(0.0, ge=0, le=1)
    """Share of the peak that is left at the end."""


class Optimizer(Node):
    """AdamW."""

    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay of matrices; vectors get none."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of the first moment."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of the second moment."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the root of the second moment."""
    clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient over all trained weights."""


class Stage(Node):
    """One stage of a recipe."""

    parts: tuple[Literal["encoder", "projector", "llm"], ...] = ("encoder", "projector", "llm")
    """Parts of the model that this stage has; others neither load nor shape its identity."""
    freeze: Freeze = Freeze()
    """Which parts are trained."""
    blend: Blend = Blend()
    """Data."""
    budget: Budget = Budget(tokens=1_000_000)
    """When it ends."""
    length: int = Field(4096, ge=16)
    """Tokens in a row; documents are packed into rows."""
    images: int | None = Field(None, ge=1)
    """Pictures in a row, at most; null: as many as come."""
    batch: int = Field(8, ge=1)
    """Rows per optimizer step, over all ranks; a multiple of ``blend.streams``."""
    rates: Rates = Rates()
    """Learning rates."""
    schedule: Schedule = Schedule()
    """Learning-rate schedule."""
    optimizer: Optimizer = Optimizer()
    """Optimizer."""
    seed: int | None = Field(None, ge=0)
    """Seed of this stage alone; null: the run's. A fixed seed makes runs share the stage."""
    threads: int = Field(1, ge=1, le=256)
    """CPU threads; results on CPU depend on it in the last bit, so it is hashed."""
