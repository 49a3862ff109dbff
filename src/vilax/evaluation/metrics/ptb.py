"""Penn Treebank tokens of captions, without Java (protocols.md 10).

Follows what the Stanford tokeniser (CoreNLP 3.4.1, lower case, one caption a line) does to captions
and then drops punctuation as pycocoevalcap does. It is another program: of rare text (addresses,
emoticons, currencies other than the dollar, unlisted abbreviations) it may make other tokens, so
figures from it are to be given with its name.
"""

import re

DROPPED = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
"""Tokens that pycocoevalcap removes. Brackets are not among them: its list has them in capitals,
which lower-case output never equals."""

BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}

SPLIT_WORDS = {
    "cannot": ("can", "not"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "wanna": ("wan", "na"),
    "lemme": ("lem", "me"),
    "gimme": ("gim", "me"),
    "'tis": ("'t", "is"),
    "'twas": ("'t", "was"),
}

_SAME = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\n": " "})
_DASH = re.compile(r"[\u2013\u2014]")
_ENDING = re.compile(r"(.+?)(n't|'(?:s|m|d|re|ve|ll))")
_TOKEN = re.compile(
    r"""
      \.{3,} | -{2,}
    | (?:mr|mrs|ms|dr|st|jr|sr|vs|etc)\.
    | [a-z](?:\.[a-z](?![^\W_]))+\.?                     # p.m., u.s.
    | \d+(?:[.,:/]\d+)* \w* (?:-\w+(?:[.,]\d+)*)*        # 1,000  3.5  4:30  1/2  2nd  3-way
    | \.\d+
    | '(?:tis|twas|s|m|d|re|ve|ll)\b
    | \w+ (?:['&/-]\w+)*                                 # rock'n'roll  red-haired  and/or  b&b
    | \S
    """,
    re.VERBOSE,
)


def ptb_tokenise(text: str) -> str:
    """Lower-case tokens of a caption without punctuation, joined by single spaces.

    Args:
        text: one caption; line breaks count as spaces.

    Returns:
        For ``It isn't a $5.00 (used) cup.``: ``it is n't a $ 5.00 -lrb- used -rrb- cup``.
    """
    text = _DASH.sub("--", text.translate(_SAME).replace("\u2026", "...")).lower()
    tokens: list[str] = []
    for found in _TOKEN.findall(text):
        tokens.extend(_split(found))
    return " ".join(token for token in tokens if token not in DROPPED)


def _split(word: str) -> tuple[str, ...]:
    if word in BRACKETS:
        return (BRACKETS[word],)
    if word == '"':
        return ("''",)
    if re.fullmatch(r"\.{3,}", word):
        return ("...",)
    if re.fullmatch(r"-{2,}", word):
        return ("--",)
    if word in SPLIT_WORDS:
        return SPLIT_WORDS[word]
    if ending := _ENDING.fullmatch(word):
        return (ending[1], ending[2])
    return (word.replace("/", "\\/").replace("*", "\\*"),)
