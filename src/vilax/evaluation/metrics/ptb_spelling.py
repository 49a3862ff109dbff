"""How the Penn Treebank tokeniser of CoreNLP 3.4.1 spells the tokens that it found."""

import re
from collections.abc import Callable

Edit = Callable[[str], str]

NO_BREAK = "\u00a0"

_LEFT = {"'": "`", "&apos;": "`", '"': "``", "&quot;": "``"}
_RIGHT = {"'": "'", "&apos;": "'", '"': "''", "&quot;": "''"}
_CURLY = {
    **dict.fromkeys("\u0091\u2018\u201b\u2039", "`"),
    **dict.fromkeys("\u0092\u2019\u203a", "'"),
    **dict.fromkeys("\u0093\u201c\u00ab", "``"),
    **dict.fromkeys("\u0094\u201d\u00bb", "''"),
}
_QUOTE = re.compile(
    "&apos;|&quot;|['\"\u0091-\u0094\u2018\u2019\u201b-\u201d\u2039\u203a\u00ab\u00bb]"
)
_CURRENCY = str.maketrans(
    {"\u00a2": "cents", "\u00a3": "#", **dict.fromkeys("\u0080\u00a4\u20a0\u20ac", "$")}
)
_FRACTIONS = {"\u00bc": "1/4", "\u00bd": "1/2", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
_BRACKETS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
_AMPERSAND = re.compile("&amp;", re.IGNORECASE)


def as_is(text: str) -> str:
    """The text itself."""
    return text


def without_soft_hyphens(text: str) -> str:
    """A word as it was before it was hyphenated; soft hyphens alone are a hyphen."""
    return text.replace("\u00ad", "") or "-"


def opening_quote(text: str) -> str:
    """Straight quotes as opening ones, curly ones by their shape."""
    return _QUOTE.sub(lambda found: _CURLY.get(found[0]) or _LEFT[found[0]], text)


def closing_quote(text: str) -> str:
    """Straight quotes as closing ones, curly ones by their shape."""
    return _QUOTE.sub(lambda found: _CURLY.get(found[0]) or _RIGHT[found[0]], text)


def currency(text: str) -> str:
    """Cents in letters, the pound as ``#``; the euro and others as the dollar."""
    return text.translate(_CURRENCY)


def fraction(text: str) -> str:
    """Halves, thirds and quarters in figures; other fractions stay signs."""
    return _FRACTIONS.get(text, text)


def one_piece(text: str) -> str:
    """Spaces that do not end the token."""
    return text.replace(" ", NO_BREAK)


def ampersand(text: str) -> str:
    """The sign for its name in HTML."""
    return _AMPERSAND.sub("&", text)


def brackets(text: str) -> str:
    """One bracket by its name."""
    return _BRACKETS[text]


def parentheses(text: str) -> str:
    """Round brackets within a token by their names."""
    return text.replace("(", "-LRB-").replace(")", "-RRB-")


def phone(text: str) -> str:
    """A telephone number as one token."""
    return one_piece(parentheses(text))


def angle(text: str) -> str:
    """The sign for its name in HTML."""
    return {"&lt;": "<", "&gt;": ">"}.get(text.lower(), text)


def dash(_: str) -> str:
    """Any dash as two hyphens."""
    return "--"


def hyphens(text: str) -> str:
    """Three or four hyphens as a dash; others stay."""
    return "--" if len(text) in (3, 4) else text


def ellipsis(_: str) -> str:
    """Any ellipsis as three stops."""
    return "..."


def initial(text: str) -> str:
    """An acronym; a single letter without its stop."""
    return text[0] if len(text) == 2 else text


def nothing(_: str) -> str:
    """No token."""
    return ""
