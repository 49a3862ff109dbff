"""Schema of a comparison: arms under one question, what may vary, and the claims to test."""

from typing import Annotated, Any, Literal

from pydantic import Field

from vilax.config.schema.base import Node

SCALES = ("micro", "mini", "paper")
"""Scales at which a comparison is asked unless it says otherwise."""


class Arm(Node):
    """A recipe with a few things changed."""

    title: str
    """One line for tables."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Override key to value, in the grammar of the command line."""
    at: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Name of a scale to further overrides there: the same change in that scale's names."""
    stage: str | None = None
    """Stage whose result is evaluated; null: the comparison's."""
    seed_offset: int = Field(0, ge=0, lt=100)
    """Added to every seed: an arm that differs in nothing else is a repetition."""
    scales: tuple[str, ...] | None = None
    """Scales at which the arm runs; null: those of the comparison. Elsewhere its row stays open."""


class Endpoint(Node):
    """A measured quantity: the mean over tasks of the mean score over items."""

    title: str
    """One line for tables."""
    tasks: tuple[str, ...] = Field(min_length=1)
    """Tasks of the evaluation, equally weighted."""
    scale: float = Field(100.0, gt=0)
    """Factor from the stored per-item score to the figure shown."""


class PaperTable(Node):
    """The paper's figures, shown beside ours."""

    source: str
    """Table or figure of the paper."""
    columns: tuple[str, ...]
    """Column headings."""
    rows: dict[str, tuple[float | str | None, ...]]
    """Arm to figures."""
    note: str = ""
    """What a reader must know to compare."""


class OrderClaim(Node):
    """``higher`` scores above ``lower`` by more than ``margin``."""

    kind: Literal["order"] = "order"
    """Claim kind."""
    text: str
    """The claim in words."""
    paper: str
    """The paper's figures for it."""
    endpoint: str
    """Primary endpoint."""
    k: int = Field(0, ge=0)
    """Shots."""
    higher: str
    """Arm said to score higher."""
    lower: str
    """Arm said to score lower."""
    margin: float = Field(0.0, ge=0)
    """Smallest difference that counts, on the endpoint's scale."""


class EqualClaim(Node):
    """``first`` and ``second`` differ by less than ``margin`` (two one-sided tests)."""

    kind: Literal["equal"] = "equal"
    """Claim kind."""
    text: str
    """The claim in words."""
    paper: str
    """The paper's figures for it."""
    endpoint: str
    """Primary endpoint."""
    k: int = Field(0, ge=0)
    """Shots."""
    first: str
    """One arm."""
    second: str
    """The other arm."""
    margin: float = Field(gt=0)
    """Largest difference that counts as none, on the endpoint's scale."""


class InteractionClaim(Node):
    """From ``k_low`` to ``k_high`` shots, ``higher`` gains more than ``lower``."""

    kind: Literal["interaction"] = "interaction"
    """Claim kind."""
    text: str
    """The claim in words."""
    paper: str
    """The paper's figures for it."""
    endpoint: str
    """Primary endpoint."""
    k_low: int = Field(0, ge=0)
    """Fewer shots."""
    k_high: int = Field(4, ge=1)
    """More shots."""
    higher: str
    """Arm said to gain more."""
    lower: str
    """Arm said to gain less."""
    margin: float = Field(0.0, ge=0)
    """Smallest difference of gains that counts, on the endpoint's scale."""


class AtScale(Node):
    """What a comparison is called at one scale: other tasks, other names of the same thing."""

    base: dict[str, Any] = Field(default_factory=dict)
    """Overrides that all arms share, on top of the comparison's own."""
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)
    """Endpoints in place of those of the same name."""
    controls: dict[str, str] | None = None
    """Controls in place of the comparison's; null: those."""


Claim = Annotated[OrderClaim | EqualClaim | InteractionClaim, Field(discriminator="kind")]


class Comparison(Node):
    """A controlled comparison."""

    title: str
    """One line."""
    question: str
    """What it asks."""
    base: dict[str, Any] = Field(default_factory=dict)
    """Overrides that all arms share."""
    varies: tuple[str, ...]
    """Keys in which arms may differ; ``*`` stands for one name."""
    held_equal: Literal["images", "documents", "tokens", "supervised"] = "tokens"
    """The quantity that arms share in every stage; the report shows the others."""
    tuning: Literal["shared", "per_arm"] = "shared"
    """Whether settings were tuned once for all arms, or for each by the same procedure."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of a quick look."""
    stage: str = "sft"
    """Stage whose result is evaluated."""
    endpoints: dict[str, Endpoint]
    """Measured quantities; the first is shown as the average of tables."""
    controls: dict[str, str] = Field(default_factory=dict)
    """Task to the text task that the base LLM must solve before the task may carry a claim."""
    control_stage: str = ""
    """Stage on which the controls are measured (the base LLM); empty: none."""
    paper: PaperTable
    """The paper's table."""
    claims: dict[str, Claim]
    """Claims by name, written before the reported seeds ran."""
    scales: tuple[str, ...] = SCALES
    """Scales at which it can be run; at others its rows stay open."""
    at: dict[str, AtScale] = Field(default_factory=dict)
    """Name of a scale to what is different there."""
    arms: dict[str, Arm] = Field(default_factory=dict)
    """Filled from the ``arms`` folder."""

    def at_scale(self, scale: str) -> "Comparison":
        """The comparison in one scale's names, with the arms' changes at that scale merged in."""
        here = self.at.get(scale, AtScale())
        arms = {
            name: arm.model_copy(update={"overrides": arm.overrides | arm.at.get(scale, {})})
            for name, arm in self.arms.items()
        }
        return self.model_copy(
            update={
                "base": self.base | here.base,
                "endpoints": self.endpoints | here.endpoints,
                "controls": self.controls if here.controls is None else here.controls,
                "arms": arms,
            }
        )

    def runs_at(self, arm: str, scale: str) -> bool:
        """Whether an arm can be run at a scale."""
        own = self.arms[arm].scales
        return scale in (self.scales if own is None else own)
