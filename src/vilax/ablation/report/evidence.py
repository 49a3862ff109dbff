"""What ``report.json`` holds beside figures: the proof of control, and answers that differ."""

from typing import Any

from vilax.ablation.report.part import Part


class DifferenceReport(Part):
    """A key in which arms differ."""

    key: str
    values: dict[str, Any]
    declared: str
    """The declared key that covers it; empty: none does."""


class BudgetReport(Part):
    """What one stage may use."""

    stage: str
    unit: str
    values: dict[str, int | None]
    is_equal: bool


class ProofReport(Part):
    """What the arms' resolved configurations show."""

    equal: int
    """Keys that are the same in all arms."""
    differences: tuple[DifferenceReport, ...]
    budgets: tuple[BudgetReport, ...]
    faults: tuple[str, ...]
    """Why the arms are no controlled comparison."""


class Answer(Part):
    """What one arm said."""

    answer: str
    score: float
    """0 to 1."""


class Example(Part):
    """An item on which arms differ."""

    task: str
    k: int
    id: str
    prompt: str
    """As the model read it, ``<image>`` where a picture stands."""
    pictures: tuple[str, ...]
    """Pictures of the prompt in order, small, as data URIs."""
    reference: str
    answers: dict[str, Answer]
    """By arm."""


class Examples(Part):
    """Items on which arms differ, and how they were drawn."""

    rule: str
    items: tuple[Example, ...]
