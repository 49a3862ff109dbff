"""Exact match, choice by likelihood, and what a blind guess would score."""

import math
from collections.abc import Sequence


def exact_match(answer: str, answers: Sequence[str]) -> float:
    """1.0 where the answer is, letter by letter, one of the right ones; else 0.0."""
    return float(answer in answers)


def likeliest(scores: Sequence[float]) -> int:
    """Index of the largest log-likelihood, the first of equals.

    Raises:
        ValueError: no candidate, or a likelihood that is not a number: to choose the first then
            would look like an answer.
    """
    if not scores or any(math.isnan(score) for score in scores):
        raise ValueError(f"cannot choose among likelihoods {list(scores)}")
    return max(range(len(scores)), key=scores.__getitem__)


def guess_level(candidates: Sequence[str], answers: Sequence[str]) -> float:
    """Expected score of a blind guess among candidates, in 0..1.

    Raises:
        ZeroDivisionError: no candidate.
    """
    return sum(candidate in answers for candidate in candidates) / len(candidates)
