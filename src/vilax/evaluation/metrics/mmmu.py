"""MMMU's accuracy: choices by letter, short answers by number or substring (protocols.md 8)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from vilax.evaluation.metrics.option_letter import option_letter

Value = str | float

DOMAINS: Mapping[str, tuple[str, ...]] = {
    "Art and Design": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
    "Health and Medicine": (
        "Basic_Medical_Science",
        "Clinical_Medicine",
        "Diagnostics_and_Laboratory_Medicine",
        "Pharmacy",
        "Public_Health",
    ),
    "Humanities and Social Science": ("History", "Literature", "Sociology", "Psychology"),
    "Tech and Engineering": (
        "Agriculture",
        "Architecture_and_Engineering",
        "Computer_Science",
        "Electronics",
        "Energy_and_Power",
        "Materials",
        "Mechanical_Engineering",
    ),
}
INDICATORS = (
    "could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ",
)  # fmt: skip
"""Words behind which an answer stands."""
NUMBERS = (
    r"-?\b\d{1,3}(?:,\d{3})+\b",
    r"-?\d+(?:\.\d+)?[eE][+-]?\d+",
    r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])",
)
"""With commas, scientific, plain."""


@dataclass(frozen=True)
class Mmmu:
    """Accuracy in percent over questions.

    Attributes:
        overall: over all questions; choices that no rule finds are guessed, as the reference does,
            here with a seed of their own for each question.
        strict: the same with what was guessed counted as wrong.
        subjects: subject to accuracy.
        domains: domain to accuracy over its questions.
        guessed: choices that were guessed.
        per_item: whether each item is right.
    """

    overall: float
    strict: float
    subjects: Mapping[str, float]
    domains: Mapping[str, float]
    guessed: int
    per_item: Sequence[bool]


def mmmu(items: Sequence[Mapping[str, Any]]) -> Mmmu:
    """Score responses by MMMU's ``eval_utils``.

    Args:
        items: with ``id`` (``validation_Accounting_1``), ``question_type`` (``multiple-choice``, or
            another word for short answers), ``options`` (letter to text), ``answer`` (one or a
            list), ``response``.

    Raises:
        KeyError: an item lacks a field; a note names the item.
    """
    right: list[bool] = []
    guesses: list[bool] = []
    subjects: dict[str, list[bool]] = {}
    for number, item in enumerate(items):
        try:
            one, is_guess = _score(item)
            subject = "_".join(str(item["id"]).split("_")[1:-1])
        except KeyError as error:
            error.add_note(f"item {number} of mmmu, counted from 0")
            raise
        right.append(one)
        guesses.append(is_guess)
        subjects.setdefault(subject, []).append(one)
    strict = [one and not guess for one, guess in zip(right, guesses, strict=True)]
    domains = {
        domain: [one for subject in some for one in subjects.get(subject, [])]
        for domain, some in DOMAINS.items()
    }
    return Mmmu(
        _percent(right),
        _percent(strict),
        {name: _percent(some) for name, some in sorted(subjects.items())},
        {name: _percent(some) for name, some in domains.items() if some},
        sum(guesses),
        right,
    )


def _score(item: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether an item is right, and whether its letter was guessed."""
    golds = item["answer"] if isinstance(item["answer"], list | tuple) else [item["answer"]]
    if item["question_type"] != "multiple-choice":
        return mmmu_open_correct(str(item["response"]), [str(gold) for gold in golds]), False
    letter = option_letter(str(item["response"]), item["options"], "mmmu")
    if letter is not None or not item["options"]:
        return letter in golds, False
    return Random(f"mmmu {item['id']}").choice(list(item["options"])) in golds, True


def mmmu_open_correct(response: str, golds: Sequence[str]) -> bool:
    """Whether a short answer is right: a number equals, or a text of the golds occurs in, one of
    the candidates that ``mmmu_open_candidates`` finds (``eval_open``)."""
    wanted = [value for gold in golds for value in _normalise(gold)]
    for candidate in mmmu_open_candidates(response):
        if isinstance(candidate, str):
            if any(isinstance(gold, str) and gold in candidate for gold in wanted):
                return True
        elif candidate in wanted:
            return True
    return False


def mmmu_open_candidates(response: str) -> list[Value]:
    """What a response may mean: texts behind key words, and all numbers in them
    (``parse_open_response``); numbers to two decimals, texts in lower case. Its pattern for plain
    numbers also finds what stands behind a comma, so ``1,000`` means 0 too."""
    parts = _key_parts(response)
    every = [
        *parts,
        *(n for part in parts for pattern in NUMBERS for n in re.findall(pattern, part)),
    ]
    return list(dict.fromkeys(value for one in every for value in _normalise(one)))


def _key_parts(response: str) -> list[str]:
    response = response.strip().strip(".").lower()
    sentences = re.split(r"\.\s(?=[A-Z])|\n", response)
    found: list[str] = []
    for number, sentence in enumerate(sentences):
        marks = (*INDICATORS, "=") if number == len(sentences) - 1 else INDICATORS
        shortest = ""
        for mark in marks:
            if mark in sentence:
                tail = sentence.split(mark)[-1].strip()
                if not shortest or len(tail) < len(shortest):
                    shortest = tail
        if shortest and shortest not in (":", ",", ".", "!", "?", ";", "'"):
            found.append(shortest)
    return found or [response]


def _normalise(text: str) -> list[Value]:
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        lower = text.lower()
        # A single character is to match as a word only.
        return [f" {lower}", f"{lower} "] if len(lower) == 1 else [lower]


def _percent(values: Sequence[bool]) -> float:
    return 100 * sum(values) / len(values) if values else 0.0
