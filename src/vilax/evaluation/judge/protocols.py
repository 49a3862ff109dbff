"""How each judged benchmark asks: of which model, how often, how warm, and what counts as a reply.

From MM-Vet's evaluator, LLaVA's eval_gpt_review_bench.py and Video-ChatGPT's
evaluate_activitynet_qa.py.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vilax.config.errors import ConfigError
from vilax.evaluation.judge.cache import Reply
from vilax.evaluation.judge.prompts import Protocol
from vilax.evaluation.metrics.judged import (
    parse_llava_bench_reply,
    parse_mm_vet_reply,
    parse_video_qa_reply,
)

REFUSAL = "refusal"
CUT = "reply cut at max_tokens"
UNREADABLE = "unparsable reply"
FAULTS = frozenset((REFUSAL, CUT, UNREADABLE))
"""What a reply without a score is called."""
APOLOGY = re.compile(
    r"\b(sorry|i('m| am) (unable|not able|afraid)|i (cannot|can't|can not|won't)|as an ai)\b",
    re.I,
)
"""How a refusal sounds. Only replies without a score are looked at."""


@dataclass(frozen=True)
class Rules:
    """One protocol.

    Attributes:
        model: whom the reference asks; judges differ, so figures of two of them do not compare.
        temperatures: one for each time that an answer is put to the judge, until it gives a score.
        max_tokens: longest reply.
        parse: from a reply's text to its score; None where it has none.
        facts: fields of a prediction's facts, each with the names it may have there.
    """

    model: str
    temperatures: tuple[float, ...]
    max_tokens: int
    parse: Callable[[str], Any]
    facts: Mapping[str, tuple[str, ...]]


RULES: Mapping[Protocol, Rules] = {
    # A sixth time the reference asks as well, but never reads the reply.
    "mm_vet": Rules(
        model="gpt-4-0613",
        temperatures=(0.0, 0.0, 0.5, 1.0, 1.5),
        max_tokens=3,
        parse=parse_mm_vet_reply,
        facts={
            "question": ("question",),
            "truth": ("truth",),
            "capabilities": ("capabilities", "capability"),
        },
    ),
    # The reference asks once and averages a lost review in; asked again it is rarely lost twice.
    "llava_bench": Rules(
        model="gpt-4-0613",
        temperatures=(0.2,) * 5,
        max_tokens=1024,
        parse=parse_llava_bench_reply,
        facts={
            "question": ("question",),
            "truth": ("reference", "truth"),
            "context": ("context",),
            "category": ("category",),
        },
    ),
    # The reference sets neither temperature (so 1) nor length, and asks until it can read a reply.
    "video_qa": Rules(
        model="gpt-3.5-turbo",
        temperatures=(0.0, 1.0, 1.0, 1.0, 1.0),
        max_tokens=64,
        parse=parse_video_qa_reply,
        facts={"question": ("question",), "truth": ("truth", "reference")},
    ),
}


def fields_of(protocol: Protocol, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a prompt may show of a prediction, and what its score is sorted by.

    Args:
        protocol: of its task.
        row: a line of predictions.jsonl.

    Raises:
        ConfigError: its facts lack something.
    """
    facts: Mapping[str, Any] = row.get("facts") or {}
    fields: dict[str, Any] = {}
    for name, called in RULES[protocol].facts.items():
        found = next((one for one in called if facts.get(one) is not None), None)
        if found is None:
            raise ConfigError(
                f"prediction {row.get('id')!r} of {row.get('task')}: expected its facts to hold"
                f" {' or '.join(called)}; they hold {', '.join(sorted(facts)) or 'nothing'}"
            )
        fields[name] = facts[found]
    if isinstance(fields.get("capabilities"), str):
        raise ConfigError(
            f"prediction {row.get('id')!r} of {row.get('task')}: capabilities is"
            f" {fields['capabilities']!r}: expected a list"
        )
    if protocol == "llava_bench":
        fields |= {"rule": facts.get("rule", ""), "role": facts.get("role", "")}
    return fields | {"prediction": row["answer"], "ask": 1}


def read(protocol: Protocol, reply: Reply) -> Any:
    """The score of a reply; None where it has none, or one that cannot be averaged."""
    if reply.refused:
        return None
    try:
        score = RULES[protocol].parse(reply.text)
    except (OverflowError, MemoryError, RecursionError):
        # A number without end, or brackets without end.
        return None
    numbers = score if isinstance(score, tuple) else (score,)
    is_finite = all(math.isfinite(each) for each in numbers if isinstance(each, float))
    return score if is_finite else None


def fault(reply: Reply) -> str:
    """What a reply without a score is called."""
    if reply.refused or APOLOGY.search(reply.text):
        return REFUSAL
    return CUT if reply.finish == "length" else UNREADABLE
