"""DROP's exact match and F1 over spans (protocols.md 11.3; allennlp's drop_eval.py)."""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vilax.config.errors import ConfigError

PUNCTUATION = frozenset(string.punctuation)
ARTICLES = re.compile(r"\b(a|an|the)\b")

Bag = frozenset[str]


@dataclass(frozen=True)
class Drop:
    """Scores of a prediction, 0..1; the best over the golds of each by itself.

    Attributes:
        exact_match: the same spans, and as many.
        f1: mean over aligned spans, rounded to two decimals.
    """

    exact_match: float
    f1: float


def drop(
    prediction: str | Sequence[str],
    answer: Mapping[str, Any],
    validated_answers: Sequence[Mapping[str, Any]] = (),
) -> Drop:
    """Score a prediction against the answers of a question.

    Quirks of the reference: tokens are split at hyphens, so ``-5`` is ``5.0``; ``five`` stays a
    word; ``5%`` and ``1,000`` are numbers, as are ``nan`` and ``inf``; repeated words count once.

    Args:
        prediction: one span, or several.
        answer: as in the release: ``number``, ``date`` (day, month, year), ``spans``; the first of
            number, spans, date that is not empty counts.
        validated_answers: more of them, each as good as the first.

    Raises:
        ConfigError: an answer has none of the three.
    """
    exact = f1 = 0.0
    for one in (answer, *(validated_answers or ())):
        gold = drop_spans(one)
        # A gold without words scores nothing, not even an empty prediction.
        if gold[0].strip():
            match, overlap = _metrics(prediction, gold)
            exact, f1 = max(exact, match), max(f1, overlap)
    return Drop(exact, f1)


def drop_spans(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """An answer of the release as spans: the number, the spans, or day, month and year."""
    if answer.get("number"):
        return (str(answer["number"]),)
    if answer.get("spans"):
        return tuple(answer["spans"])
    date = answer.get("date")
    if not date:
        found = ", ".join(map(repr, answer)) or "nothing"
        raise ConfigError(f"drop: an answer has no number, spans or date: its fields are {found}")
    return (f"{date['day']} {date['month']} {date['year']}",)


def _metrics(prediction: str | Sequence[str], gold: Sequence[str]) -> tuple[float, float]:
    said = [prediction] if isinstance(prediction, str) else list(prediction)
    spans, wanted = [_normalise(one) for one in said], [_normalise(one) for one in gold]
    exact = float(set(spans) == set(wanted) and len(spans) == len(wanted))
    bags = [frozenset(span.split()) for span in spans]
    golds = [frozenset(span.split()) for span in wanted]
    scores = [
        [_overlap(bag, one) if _numbers_fit(one, bag) else 0.0 for bag in bags] for one in golds
    ]
    # Halves go to the even neighbour of the scaled value, as numpy rounds.
    return exact, round(_best_mean(scores) * 100) / 100


def _best_mean(scores: Sequence[Sequence[float]]) -> float:
    """Best one-to-one alignment of golds (rows) and predictions (columns), over the more of both.

    The best score of each gold stands in its place among zeros, as in the reference: numpy adds in
    blocks, and another order moves halves to the other side of the rounding.
    """
    spans = max(len(scores), len(scores[0]))
    if len(scores) == 1 or not scores[0]:
        return max(scores[0], default=0.0) / spans
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    table, best = np.array(scores), np.zeros(spans)
    rows, columns = linear_sum_assignment(-table)
    best[rows] = table[rows, columns]
    return float(best.mean())


def _overlap(bag: Bag, gold: Bag) -> float:
    shared = len(bag & gold)
    precision = shared / len(bag) if bag else 1.0
    recall = shared / len(gold) if gold else 1.0
    return 2 * precision * recall / (precision + recall) if precision or recall else 0.0


def _numbers_fit(gold: Bag, bag: Bag) -> bool:
    numbers = {word for word in gold if _is_number(word)}
    return not numbers or bool(numbers & {word for word in bag if _is_number(word)})


def _normalise(text: str) -> str:
    parts = []
    for token in re.split("[ -]", text):
        word = token.lower()
        if not _is_number(word):
            word = "".join(mark for mark in word if mark not in PUNCTUATION)
        if _is_number(word):
            word = str(float(word))
        parts.append(" ".join(ARTICLES.sub(" ", word).split()))
    return " ".join(part for part in parts if part)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
