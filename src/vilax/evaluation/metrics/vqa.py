"""VQA accuracy and its normalisation (protocols.md 1.2, 1.3).

The references are GT-Vision-Lab/VQA (``vqaEval.py``), OpenFlamingo (``eval/vqa_metric.py``) and
LLaVA (``eval/m4c_evaluator.py``), each on https://github.com. Quirks kept: a mark goes or becomes a
space by whether it stands beside a space anywhere in the answer, only 32 full stops go,
contractions with a capital never match.
"""

import re
from collections.abc import Sequence
from typing import Literal, get_args

from vilax.config.errors import unknown

Style = Literal["official", "open_flamingo", "evalai"]

MARKS = ';/[]"{}()=+\\_-><@`,?!'
ARTICLES = {"a", "an", "the"}
NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}

# The right-hand side is the evaluator's; what stands left of it is that without its apostrophes,
# or with one of two. Entries that this rule does not give are listed apart.
_RESTORED = [
    "ain't",
    "aren't",
    "can't",
    "could've",
    "couldn't",
    "couldn't've",
    "didn't",
    "doesn't",
    "don't",
    "hadn't",
    "hadn't've",
    "hasn't",
    "haven't",
    "he'd",
    "he'd've",
    "he's",
    "how'd",
    "how'll",
    "how's",
    "I'd've",
    "I'm",
    "I've",
    "isn't",
    "it'd",
    "it'd've",
    "it'll",
    "let's",
    "ma'am",
    "mightn't",
    "mightn't've",
    "might've",
    "mustn't",
    "must've",
    "needn't",
    "not've",
    "o'clock",
    "oughtn't",
    "shan't",
    "she'd've",
    "should've",
    "shouldn't",
    "shouldn't've",
    "somebody'd've",
    "somebody'll",
    "somebody's",
    "someone'd",
    "someone'd've",
    "someone'll",
    "someone's",
    "something'd",
    "something'd've",
    "something'll",
    "that's",
    "there'd",
    "there'd've",
    "there're",
    "there's",
    "they'd",
    "they'd've",
    "they'll",
    "they're",
    "they've",
    "'twas",
    "wasn't",
    "we'd've",
    "we've",
    "weren't",
    "what'll",
    "what're",
    "what's",
    "what've",
    "when's",
    "where'd",
    "where's",
    "where've",
    "who'd",
    "who'd've",
    "who'll",
    "who's",
    "who've",
    "why'll",
    "why're",
    "why's",
    "won't",
    "would've",
    "wouldn't",
    "wouldn't've",
    "y'all",
    "y'all'll",
    "y'all'd've",
    "you'd",
    "you'd've",
    "you'll",
    "you're",
    "you've",
]
_OTHERS = {
    "somebody'd": "somebodyd",
    "ow's'at": "'ow's'at",
    "'ows'at": "'ow's'at",
    "'ow'sat": "'ow's'at",
    "let's": "let's",
    "she's": "she's",
    "y'allll": "y'all'll",
    "yall'll": "y'all'll",
    "y'alld've": "y'all'd've",
    "y'all'dve": "y'all'd've",
    "yall'd've": "y'all'd've",
}


def _contractions() -> dict[str, str]:
    table: dict[str, str] = {}
    for word in _RESTORED:
        parts = word.split("'")
        if len(parts) == 3 and parts[0]:
            table[f"{parts[0]}{parts[1]}'{parts[2]}"] = word
            table[f"{parts[0]}'{parts[1]}{parts[2]}"] = word
        elif len(parts) == 2:
            table["".join(parts)] = word
    for wrong in ("lets", "shes"):
        table.pop(wrong, None)
    return table | _OTHERS


CONTRACTIONS = _contractions()


def vqa_normalise(text: str, style: Style = "official") -> str:
    """An answer as the evaluators compare it.

    Args:
        text: raw answer.
        style: ``official`` and ``open_flamingo`` share these rules; ``evalai`` (TextVQA, VizWiz,
            LLaVA's M4C evaluator) first lower-cases, deletes commas and question marks and splits
            ``'s`` off.

    Returns:
        Lower-case words joined by one space; may be empty.

    Raises:
        ConfigError: no such style.
    """
    _check(style)
    if style == "evalai":
        text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = text.replace("\n", " ").replace("\t", " ").strip()
    comma_in_number = re.search(r"\d,\d", text) is not None
    out = text
    for mark in MARKS:
        if f"{mark} " in text or f" {mark}" in text or comma_in_number:
            out = out.replace(mark, "")
        else:
            out = out.replace(mark, " ")
    # The evaluator hands a flag (32) over as the count: only the first 32 stops are deleted.
    out = re.sub(r"\.(?!\d)", "", out, count=32)
    words = []
    for word in out.lower().split():
        word = NUMBERS.get(word, word)
        if word not in ARTICLES:
            words.append(word)
    return " ".join(CONTRACTIONS.get(word, word) for word in words)


def vqa_soft_accuracy(prediction: str, answers: Sequence[str], style: Style = "official") -> float:
    """VQA accuracy: leave one answer out, three agreeing others make 1.

    Args:
        prediction: raw answer.
        answers: the people's answers, usually ten.
        style: ``official`` normalises, prediction included, only where the stripped answers are
            not all the same; the others always. The other answers are those of other positions:
            the references tell equal answers apart by their numbers. ``evalai`` takes any number
            of answers; the reference insists on ten.

    Returns:
        Mean over left-out answers of min(1, agreeing others / 3), in 0..1; 0 without answers.

    Raises:
        ConfigError: no such style.
    """
    _check(style)
    clean = [answer.replace("\n", " ").replace("\t", " ").strip() for answer in answers]
    guess = prediction.replace("\n", " ").replace("\t", " ").strip()
    if style != "official" or len(set(clean)) > 1:
        clean = [vqa_normalise(answer, style) for answer in answers]
        guess = vqa_normalise(prediction, style)
    if not clean:
        return 0.0
    agree = sum(answer == guess for answer in clean)
    each = [min(1.0, (agree - (answer == guess)) / 3) for answer in clean]
    return sum(each) / len(each)


def _check(style: str) -> None:
    if style not in get_args(Style):
        raise unknown("style of VQA answers", style, get_args(Style))
