"""Schema of a comparison: arms under one question, what may vary, and the claims to test."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

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
    """What claims speak of: the mean over tasks of the mean score over items, or a measure."""

    title: str
    """One line for tables."""
    tasks: tuple[str, ...] = ()
    """Tasks of the evaluation, equally weighted."""
    measure: str = ""
    """In place of tasks, one number per arm and seed: ``alignment``, ``text_drift``, ``held_out``,
    ``held_out.CORPUS`` or ``training_loss.STAGE``."""
    scale: float = Field(100.0, gt=0)
    """Factor from the stored number to the figure shown; of a measure 1, unless given."""
    task_scales: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Task to its own factor in place of ``scale``: 1000 takes a caption's score as papers print
    it, 100 x CIDEr-D, which then weighs in the mean as it does in theirs."""

    @model_validator(mode="before")
    @classmethod
    def _scale_of_a_measure(cls, given: Any) -> Any:
        is_measure = isinstance(given, dict) and given.get("measure")
        return {"scale": 1.0} | given if is_measure else given

    @model_validator(mode="after")
    def _one_source(self) -> "Endpoint":
        if bool(self.tasks) == bool(self.measure):
            both = "both are" if self.tasks else "neither is"
            raise ValueError(f"expected tasks or a measure, and {both} given")
        if strangers := [task for task in self.task_scales if task not in self.tasks]:
            raise ValueError(
                f"task_scales.{strangers[0]}: expected one of its tasks,"
                f" {', '.join(self.tasks) or 'and a measure has none'}"
            )
        return self

    def scale_of(self, task: str) -> float:
        """Factor from a task's score, 0 to 1, to the figure that enters the mean."""
        return self.task_scales.get(task, self.scale)


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


class _Claim(Node):
    """What every claim states."""

    text: str
    """The claim in words."""
    paper: str
    """The paper's figures for it."""
    paper_effect: float | None = Field(None, gt=0)
    """The paper's effect, on the endpoint's scale: the report says how sure the comparison would
    be to show one as large."""
    endpoint: str
    """Primary endpoint."""


class OrderClaim(_Claim):
    """``higher`` scores above ``lower`` by more than ``margin``."""

    kind: Literal["order"] = "order"
    """Claim kind."""
    k: int = Field(0, ge=0)
    """Shots."""
    higher: str
    """Arm said to score higher."""
    lower: str
    """Arm said to score lower."""
    margin: float = Field(0.0, ge=0)
    """Smallest difference that counts, on the endpoint's scale."""


class GapClaim(_Claim):
    """``higher`` scores far above ``lower``: an order whose margin must be given."""

    kind: Literal["gap"] = "gap"
    """Claim kind."""
    k: int = Field(0, ge=0)
    """Shots."""
    higher: str
    """Arm said to score higher."""
    lower: str
    """Arm said to score lower."""
    margin: float = Field(gt=0)
    """The difference must be larger than this, on the endpoint's scale."""


class EqualClaim(_Claim):
    """``first`` and ``second`` differ by less than ``margin`` (two one-sided tests)."""

    kind: Literal["equal"] = "equal"
    """Claim kind."""
    k: int = Field(0, ge=0)
    """Shots."""
    first: str
    """One arm."""
    second: str
    """The other arm."""
    margin: float = Field(gt=0)
    """Largest difference that counts as none, on the endpoint's scale."""


class GainClaim(_Claim):
    """From ``k_low`` to ``k_high`` shots ``arm`` rises, or falls, by more than ``margin``."""

    kind: Literal["gain"] = "gain"
    """Claim kind."""
    arm: str
    """The arm."""
    direction: Literal["up", "down"] = "up"
    """Whether shots are said to raise its score or to lower it."""
    k_low: int = Field(0, ge=0)
    """Fewer shots."""
    k_high: int = Field(4, ge=1)
    """More shots."""
    margin: float = Field(0.0, ge=0)
    """Smallest change that counts, on the endpoint's scale."""

    @model_validator(mode="after")
    def _more_shots(self) -> "GainClaim":
        _require_more(self.k_low, self.k_high)
        return self


class InteractionClaim(_Claim):
    """One difference exceeds another by more than ``margin``.

    With one arm each: from ``k_low`` to ``k_high`` shots, ``higher`` gains more than ``lower``.
    With two arms each, at ``k`` shots: the first of ``higher`` exceeds its second by more than the
    first of ``lower`` exceeds its second.
    """

    kind: Literal["interaction"] = "interaction"
    """Claim kind."""
    k: int = Field(0, ge=0)
    """Shots, between four arms."""
    k_low: int = Field(0, ge=0)
    """Fewer shots, between two arms."""
    k_high: int = Field(4, ge=1)
    """More shots, between two arms."""
    higher: str | tuple[str, ...]
    """Arm said to gain more, or two arms said to differ more."""
    lower: str | tuple[str, ...]
    """Arm said to gain less, or two arms said to differ less."""
    margin: float = Field(0.0, ge=0)
    """Smallest difference of differences that counts, on the endpoint's scale."""

    @model_validator(mode="after")
    def _one_form(self) -> "InteractionClaim":
        given = self.model_fields_set
        if isinstance(self.higher, str) and isinstance(self.lower, str):
            if "k" in given:
                raise ValueError("k: between two arms gains are compared, give k_low and k_high")
            _require_more(self.k_low, self.k_high)
        elif isinstance(self.higher, str) or isinstance(self.lower, str):
            raise ValueError("higher and lower: expected one arm each, or two arms each")
        elif len(self.higher) != 2 or len(self.lower) != 2:
            longer = "higher" if len(self.higher) != 2 else "lower"
            count = len(getattr(self, longer))
            raise ValueError(f"{longer} has {count} arms, expected one arm or a list of two")
        elif shots := sorted({"k_low", "k_high"} & given):
            raise ValueError(f"{shots[0]}: between four arms there is one number of shots, give k")
        return self


def _require_more(k_low: int, k_high: int) -> None:
    if k_high <= k_low:
        raise ValueError(f"k_high={k_high}: expected more shots than k_low={k_low}")


class AtScale(Node):
    """What a comparison is called at one scale: other tasks, other names of the same thing."""

    base: dict[str, Any] = Field(default_factory=dict)
    """Overrides that all arms share, on top of the comparison's own."""
    varies: tuple[str, ...] | None = None
    """Keys in which arms may differ there; null: the comparison's."""
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)
    """Endpoints in place of those of the same name."""
    controls: dict[str, str] | None = None
    """Controls in place of the comparison's; null: those."""
    claims: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Name of a claim to keys of it that are different, such as the shots of its endpoint."""


Claim = Annotated[
    OrderClaim | GapClaim | EqualClaim | GainClaim | InteractionClaim, Field(discriminator="kind")
]


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
    """Measured quantities; the first, of tasks, is shown as the average of tables."""
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
        claims = {
            name: type(claim).model_validate(
                claim.model_dump(exclude_unset=True) | here.claims.get(name, {})
            )
            for name, claim in self.claims.items()
        }
        return self.model_copy(
            update={
                "claims": claims,
                "varies": self.varies if here.varies is None else here.varies,
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
