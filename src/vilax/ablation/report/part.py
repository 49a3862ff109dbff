"""What every part of ``report.json`` has in common."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of the report: unknown keys refused, values immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
