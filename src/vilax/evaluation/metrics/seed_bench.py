"""SEED-Bench's accuracy by type, of pictures, of videos and over all (protocols.md 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vilax.config.errors import unknown

Style = Literal["llava", "lmms"]


@dataclass(frozen=True)
class SeedBench:
    """Accuracy in percent over questions; 0 where there are none.

    Attributes:
        by_type: ``question_type_id`` to accuracy.
        image: over questions about pictures.
        video: over questions about videos.
        overall: over all questions (not the mean of types).
        per_item: whether each item is right.
    """

    by_type: Mapping[Any, float]
    image: float
    video: float
    overall: float
    per_item: Sequence[bool]


def seed_bench(items: Sequence[Mapping[str, Any]], style: Style = "llava") -> SeedBench:
    """Score responses.

    Percent, as LLaVA's script prints; lmms-eval gives shares. That script ends in a KeyError where
    a type has no hit at all; here the type's accuracy is 0.

    Args:
        items: with ``question_type_id``, ``data_type`` (image or video), ``answer`` (letter) and
            ``response`` (None: missing, wrong).
        style: ``llava``: the response is exactly the letter (``A.`` is wrong; LLaVA's
            convert_seed_for_submission.py). ``lmms``: its first character is, in any case
            (lmms-eval; ``Apple`` is A).

    Raises:
        ConfigError: no such style.
        KeyError: an item lacks a field; a note names the item.
    """
    if style not in get_args(Style):
        raise unknown("style of seed_bench", style, get_args(Style))
    right: list[bool] = []
    types: dict[Any, list[bool]] = {}
    kinds: dict[str, list[bool]] = {"image": [], "video": []}
    for number, item in enumerate(items):
        try:
            one = _is_right(item["response"], str(item["answer"]), style)
            types.setdefault(item["question_type_id"], []).append(one)
            kinds.setdefault(str(item["data_type"]), []).append(one)
        except KeyError as error:
            error.add_note(f"item {number} of seed_bench, counted from 0")
            raise
        right.append(one)
    return SeedBench(
        {name: _percent(types[name]) for name in sorted(types, key=str)},
        _percent(kinds["image"]),
        _percent(kinds["video"]),
        _percent(right),
        right,
    )


def _is_right(response: str | None, answer: str, style: str) -> bool:
    if response is None:
        return False
    if style == "llava":
        return response == answer
    return response.strip()[:1].lower() == answer.lower().strip()


def _percent(values: Sequence[bool]) -> float:
    return sum(values) / len(values) * 100 if values else 0.0
