"""Patterns of a lexer: a small notation, and the trees it is read into."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Test = Callable[[int], bool]
"""Whether a code point belongs to a set."""

SIGNS = {"*": (0, None), "+": (1, None), "?": (0, 1)}

CONTROLS = {"0": "\0", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

FOLDS = {"i": "\u0130\u0131", "k": "\u212a", "s": "\u017f"}
"""Letters outside ASCII that lower-case or upper-case to one inside."""


@dataclass(frozen=True, eq=False)
class Chars:
    """One character of a set."""

    test: Test


@dataclass(frozen=True, eq=False)
class Chain:
    """Parts that follow each other."""

    parts: list["Tree"]


@dataclass(frozen=True, eq=False)
class Choice:
    """Any of the parts."""

    parts: list["Tree"]


@dataclass(frozen=True, eq=False)
class Repeat:
    """A part several times; ``most`` None for without end."""

    part: "Tree"
    least: int
    most: int | None


Tree = Chars | Chain | Choice | Repeat


class Notation:
    """Reads patterns: ``( | ) * + ? {2,4} [a-z] [^a-z]``, ``{name}``, ``\\n``, ``\\u00a0``.

    A backslash before any other sign takes the sign as it is. Letters outside brackets stand for
    both cases, inside for themselves. Blanks outside brackets mean nothing.

    Args:
        sets: names of sets of characters.
    """

    def __init__(self, sets: Mapping[str, Test]) -> None:
        self._named: dict[str, Tree] = {name: Chars(test) for name, test in sets.items()}
        # The same set is the same object everywhere, so that it is tested once.
        self._seen: dict[str, Chars] = {}

    def define(self, name: str, pattern: str) -> None:
        """Gives a pattern a name for those that follow."""
        self._named[name] = self.read(pattern)

    def read(self, pattern: str) -> Tree:
        """The tree of a pattern.

        Raises:
            ValueError: a bracket closes that was never opened.
        """
        tree, end = self._choice(pattern, 0)
        if end != len(pattern):
            raise ValueError(f"{pattern!r}: {pattern[end:]!r} is left over")
        return tree

    def _choice(self, text: str, at: int) -> tuple[Tree, int]:
        found: list[Tree] = []
        while True:
            tree, at = self._chain(text, at)
            found.append(tree)
            if at == len(text) or text[at] != "|":
                return (found[0] if len(found) == 1 else Choice(found)), at
            at += 1

    def _chain(self, text: str, at: int) -> tuple[Tree, int]:
        found: list[Tree] = []
        while at < len(text) and text[at] not in "|)":
            if text[at] == " ":
                at += 1
                continue
            tree, at = self._atom(text, at)
            tree, at = self._repeated(tree, text, at)
            found.append(tree)
        return (found[0] if len(found) == 1 else Chain(found)), at

    def _atom(self, text: str, at: int) -> tuple[Tree, int]:
        if text[at] == "(":
            tree, at = self._choice(text, at + 1)
            return tree, at + 1
        if text[at] == "{":
            end = text.index("}", at)
            return self._named[text[at + 1 : end]], end + 1
        if text[at] == "[":
            end = at + 1
            while text[end] != "]":
                end += 2 if text[end] == "\\" else 1
            return self._set(text[at : end + 1]), end + 1
        char, at = _character(text, at)
        return self._set(char), at

    def _repeated(self, tree: Tree, text: str, at: int) -> tuple[Tree, int]:
        sign = text[at : at + 1]
        if sign in SIGNS:
            return Repeat(tree, *SIGNS[sign]), at + 1
        if sign == "{" and text[at + 1].isdigit():
            end = text.index("}", at)
            low, _, high = text[at + 1 : end].partition(",")
            return Repeat(tree, int(low), int(high or low)), end + 1
        return tree, at

    def _set(self, text: str) -> Chars:
        if text not in self._seen:
            if len(text) == 1:
                cases = text.lower() + text.upper() + FOLDS.get(text.lower(), "")
                self._seen[text] = Chars(frozenset(map(ord, cases)).__contains__)
            elif text[1] == "^":
                self._seen[text] = Chars(outside(text[2:-1]))
            else:
                self._seen[text] = Chars(inside(text[1:-1]))
        return self._seen[text]


def _character(text: str, at: int) -> tuple[str, int]:
    if text[at] != "\\":
        return text[at], at + 1
    sign = text[at + 1]
    if sign == "u":
        return chr(int(text[at + 2 : at + 6], 16)), at + 6
    return CONTROLS.get(sign, sign), at + 2


def inside(text: str) -> Test:
    """The set that ``a-fxyz`` names."""
    spans: list[tuple[int, int]] = []
    at = 0
    while at < len(text):
        first, at = _character(text, at)
        last = first
        if text[at : at + 1] == "-" and at + 1 < len(text):
            last, at = _character(text, at + 1)
        spans.append((ord(first), ord(last)))
    return lambda code: any(low <= code <= high for low, high in spans)


def outside(text: str) -> Test:
    """All that :func:`inside` leaves."""
    test = inside(text)
    return lambda code: not test(code)
