"""The option that a free-form response chooses, by the rules of five references.

None of them asks a judge here: what a reference would hand on to one, or to chance, is None.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from vilax.config.errors import unknown

Style = Literal[
    "llava_scienceqa", "lmms_seedbench", "vlmevalkit", "mmmu", "videomme", "mmbench", "strict"
]
Options = Mapping[str, str]

REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
"""Phrases that VLMEvalKit takes for a refusal; it then says Z, which is no option."""
API_FAILED = "Failed to obtain answer via API"
PUNCTUATION = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
ANSWER_IS = re.compile(r"(?i)(?:correct\s+)?answer\s+is\s+\**([ABCD])\**")
LEAD_INS = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    # The reference lacks two commas, so that neither half of these is ever deleted alone.
    "The best option isThe correct option is",
    "Best answer:Best option:",
    "Answer:",
    "Option:",
    "The correct answer",
    "The correct option",
)
"""What Video-MME's tool deletes, in this order."""
DRESSINGS = (
    ("", "."),
    ("", ","),
    ("", ":"),
    ("", ")"),
    ("", ")."),
    ("(", ")"),
    ("(", ")."),
    (":", ""),
    (":", ","),
    (":", "."),
    (":", ")"),
    (":", ")."),
)
"""What MMBench's rule accepts before and behind a letter, in this order."""


def option_letter(response: str, options: Options, style: Style) -> str | None:
    """The letter that a response chooses.

    Args:
        response: raw output.
        options: letter to text of each choice, in order.
        style: whose rule.
            ``llava_scienceqa``: LLaVA's eval_science_qa.py. The whole output is a letter; or it
            begins with letter, full stop, space; or exactly one ``The answer is X`` followed by any
            character. A letter beyond the choices is none.
            ``lmms_seedbench``: lmms-eval's SEED-Bench, the first character in any case.
            ``vlmevalkit``: VLMEvalKit's ``can_infer``. A refusal gives ``Z``. With exactly one
            option's letter as a word, it must be among the last four words; then ``answer is X``
            in any case and with anything behind it, so ``answer is clearly`` is C (the pattern of
            its pull request 1552 of May 2026); then the one option whose text occurs, unless the
            response is more than twice as long as all options together.
            ``mmbench``: MMBench's first rule, which lmms-eval still has. The letter A among more
            than three words may be an article, and is looked for in a dressing alone.
            ``mmmu``: MMMU's ``parse_multi_choice_response``; where it would guess, None.
            ``videomme``: Video-MME's tool: lead-ins are deleted, then the first capital A to D
            anywhere, so ``A man`` is A and ``Cannot say`` is C.
            ``strict``: ours. The whole output is a letter, in round brackets or not, with a full
            stop, bracket or colon behind it or not.

    Returns:
        A letter, or None where the rule finds none.

    Raises:
        ConfigError: no such style.
    """
    if style not in RULES:
        raise unknown("style of option_letter", style, RULES)
    return RULES[style](response, options)


def _llava_scienceqa(response: str, options: Options) -> str | None:
    letters = "ABCDE"
    found: str | None = None
    if response in tuple(letters):
        found = response
    elif len(response) >= 3 and response[0] in letters and response[1:3] == ". ":
        found = response[0]
    else:
        hits = re.findall(r"The answer is ([A-Z]).", response)
        found = hits[0] if len(hits) == 1 else None
    return found if found is not None and found in tuple(letters[: len(options)]) else None


def _lmms_seedbench(response: str, options: Options) -> str | None:
    first = response.strip()[:1].upper()
    return first if first in options else None


def _vlmevalkit(response: str, options: Options) -> str | None:
    return _vlmevalkit_letter(response, options) or _vlmevalkit_text(response, options)


def _vlmevalkit_letter(response: str, options: Options) -> str | None:
    if API_FAILED in response:
        return None
    if any(phrase in response for phrase in REFUSALS):
        return "Z"
    words = response.translate(PUNCTUATION).split()
    there = [letter for letter in options if letter in words]
    if len(there) == 1 and words.index(there[0]) > len(words) - 5:
        return there[0]
    if not there and "Z" in words:
        return "Z"
    said = ANSWER_IS.search(response)
    return said[1].upper() if said and said[1].upper() in options else None


def _vlmevalkit_text(response: str, options: Options) -> str | None:
    if len(response.lower()) > 2 * sum(len(str(text)) for text in options.values()):
        return None
    return _only_text(response, options)


def _only_text(response: str, options: Options) -> str | None:
    lower = response.lower()
    found = [letter for letter, text in options.items() if str(text).lower() in lower]
    return found[0] if len(found) == 1 else None


def _mmbench(response: str, options: Options) -> str | None:
    # The reference looks for five letters, however many options there are.
    letters = "ABCDE"
    if API_FAILED in response:
        return _only_text(response, options)
    words = response.split()
    there = [letter for letter in letters if letter in words]
    if len(there) == 1 and not ("A" in words and len(words) > 3):
        return there[0]
    for before, behind in DRESSINGS:
        there = [letter for letter in letters if f"{before}{letter}{behind}" in words]
        if len(there) == 1:
            return there[0]
    return _only_text(response, options)


def _mmmu(response: str, options: Options) -> str | None:
    for mark in ",.!?;:'":
        response = response.strip(mark)
    response = f" {response} "
    for shape in ("({})", " {} "):
        places = {letter: response.rfind(shape.format(letter)) for letter in options}
        found = [letter for letter, place in places.items() if place >= 0]
        if found:
            return max(found, key=lambda letter: places[letter])
    if len(response.split()) <= 5:
        return None
    lower = response.lower()
    places = {letter: lower.rfind(str(text).lower()) for letter, text in options.items()}
    found = [letter for letter, place in places.items() if place >= 0]
    return max(found, key=lambda letter: places[letter]) if found else None


def _videomme(response: str, options: Options) -> str | None:
    text = response.strip()
    for lead_in in LEAD_INS:
        text = text.replace(lead_in, "")
    found = re.search("[ABCD]", text)
    return found[0] if found else None


def _strict(response: str, options: Options) -> str | None:
    found = re.fullmatch(r"\s*\(?([A-Z])\)?[.:)]?\s*", response)
    return found[1] if found and found[1] in options else None


RULES: Mapping[str, Callable[[str, Options], str | None]] = {
    "llava_scienceqa": _llava_scienceqa,
    "lmms_seedbench": _lmms_seedbench,
    "vlmevalkit": _vlmevalkit,
    "mmmu": _mmmu,
    "videomme": _videomme,
    "mmbench": _mmbench,
    "strict": _strict,
}
