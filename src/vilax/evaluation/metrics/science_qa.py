"""ScienceQA's accuracy over all items and over those with a picture (protocols.md 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vilax.evaluation.metrics.option_letter import option_letter

LETTERS = "ABCDE"


@dataclass(frozen=True)
class ScienceQa:
    """Accuracy in percent, as LLaVA's eval_science_qa.py gives it.

    Attributes:
        accuracy: over all items.
        image_accuracy: over items with a picture that have a response; 0 without any.
        per_item: whether each item is right.
        unparsed: items in whose response the rule finds no answer.
    """

    accuracy: float
    image_accuracy: float
    per_item: Sequence[bool]
    unparsed: int


def science_qa(items: Sequence[Mapping[str, Any]]) -> ScienceQa:
    """Score responses by LLaVA's rule (style ``llava_scienceqa`` of ``option_letter``).

    Args:
        items: with ``id``, ``choices`` (texts), ``answer`` (index), ``has_image``, ``response``
            (None: missing; wrong in ``accuracy``, and out of ``image_accuracy``, for the reference
            tells pictures by the prompt that comes with a response).

    Raises:
        KeyError: an item lacks a field; a note names the item.
    """
    right: list[bool] = []
    shown: list[bool] = []
    unparsed = 0
    for number, item in enumerate(items):
        try:
            response, answer, has_image = item["response"], int(item["answer"]), item["has_image"]
            options = dict(zip(LETTERS, map(str, item["choices"]), strict=False))
        except KeyError as error:
            error.add_note(f"item {number} of science_qa, counted from 0")
            raise
        letter = None if response is None else option_letter(response, options, "llava_scienceqa")
        unparsed += letter is None
        right.append(letter is not None and LETTERS.index(letter) == answer)
        if has_image and response is not None:
            shown.append(right[-1])
    return ScienceQa(_percent(right), _percent(shown), right, unparsed)


def _percent(values: Sequence[bool]) -> float:
    return sum(values) / len(values) * 100 if values else 0.0
