"""The longest match of many patterns, by an automaton that is built while it is walked.

A backtracking engine takes the first alternative that fits; a lexer generator takes the longest
match of all its rules. So sets of positions are followed instead, and every step is remembered.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from vilax.evaluation.metrics.ptb_patterns import Chain, Chars, Choice, Test, Tree


@dataclass(slots=True, eq=False)
class State:
    """Positions reached at once.

    Attributes:
        rule: the first pattern that may end here.
        moves: the state after each character met so far; None where no pattern goes on.
    """

    positions: frozenset[int]
    rule: int | None
    moves: dict[str, "State | None"] = field(default_factory=dict)
    by_kind: dict[int, "State | None"] = field(default_factory=dict)


class Automaton:
    """Several patterns at once; of those that end at one place the first counts."""

    def __init__(self, patterns: Iterable[Tree]) -> None:
        self._tests: list[Test] = []
        self._test_at: dict[Test, int] = {}
        # Of a position: the set that leads on and where to, and where one gets without a character.
        self._steps: list[tuple[int, int] | None] = []
        self._free: list[list[int]] = []
        self._ends: dict[int, int] = {}
        self._states: dict[frozenset[int], State] = {}
        # Characters of the same sets are of one kind.
        self._kinds: dict[frozenset[int], int] = {}
        self._kind_of: dict[str, tuple[int, frozenset[int]]] = {}
        starts = []
        for rule, tree in enumerate(patterns):
            end = self._position()
            self._ends[end] = rule
            starts.append(self._build(tree, end))
        self._start = self._state(starts)

    def longest(self, text: str, start: int) -> tuple[int, int]:
        """Which pattern matches most of a text from ``start`` on, and where the match ends.

        Raises:
            ValueError: none matches.
        """
        state = self._start
        rule, end = None, start
        for at in range(start, len(text)):
            char = text[at]
            after = state.moves[char] if char in state.moves else self._move(state, char)
            if after is None:
                break
            state = after
            if state.rule is not None:
                rule, end = state.rule, at + 1
        if rule is None:
            raise ValueError(f"no pattern matches {text[start : start + 20]!r}")
        return rule, end

    def matches(self, text: str) -> bool:
        """Whether a pattern takes the whole text."""
        state = self._start
        for char in text:
            after = state.moves[char] if char in state.moves else self._move(state, char)
            if after is None:
                return False
            state = after
        return state.rule is not None

    def _move(self, state: State, char: str) -> State | None:
        if char not in self._kind_of:
            code = ord(char)
            sets = frozenset(at for at, test in enumerate(self._tests) if test(code))
            self._kind_of[char] = (self._kinds.setdefault(sets, len(self._kinds)), sets)
        kind, sets = self._kind_of[char]
        if kind not in state.by_kind:
            steps = (self._steps[position] for position in state.positions)
            targets = [step[1] for step in steps if step and step[0] in sets]
            state.by_kind[kind] = self._state(targets) if targets else None
        found = state.moves[char] = state.by_kind[kind]
        return found

    def _state(self, positions: Iterable[int]) -> State:
        reached: set[int] = set()
        waiting = list(positions)
        while waiting:
            position = waiting.pop()
            if position not in reached:
                reached.add(position)
                waiting += self._free[position]
        kept = frozenset(at for at in reached if self._steps[at] or at in self._ends)
        if kept not in self._states:
            rules = [self._ends[at] for at in kept if at in self._ends]
            self._states[kept] = State(kept, min(rules, default=None))
        return self._states[kept]

    def _position(self) -> int:
        self._steps.append(None)
        self._free.append([])
        return len(self._steps) - 1

    def _build(self, tree: Tree, onward: int) -> int:
        """Makes the positions of a tree that leads to ``onward``; returns where it begins."""
        if isinstance(tree, Chars):
            if tree.test not in self._test_at:
                self._test_at[tree.test] = len(self._tests)
                self._tests.append(tree.test)
            position = self._position()
            self._steps[position] = (self._test_at[tree.test], onward)
            return position
        if isinstance(tree, Chain):
            for part in reversed(tree.parts):
                onward = self._build(part, onward)
            return onward
        if isinstance(tree, Choice):
            position = self._position()
            self._free[position] = [self._build(part, onward) for part in tree.parts]
            return position
        if tree.most is None:
            position = self._position()
            self._free[position] = [self._build(tree.part, position), onward]
            onward = position
        else:
            for _ in range(tree.most - tree.least):
                position = self._position()
                self._free[position] = [self._build(tree.part, onward), onward]
                onward = position
        for _ in range(tree.least):
            onward = self._build(tree.part, onward)
        return onward
