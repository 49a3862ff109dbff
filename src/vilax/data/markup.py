"""Special tokens in the fixed strings of a template; what is said never becomes one."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Markup:
    """Finds a tokenizer's special tokens in a text, as the tokenizer itself would.

    Args:
        tokenizer: a transformers tokenizer.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._ids = {
            str(token.content): (number, bool(token.lstrip), bool(token.rstrip))
            for number, token in tokenizer.added_tokens_decoder.items()
            if token.special
        }
        self._names = {number: name for name, (number, _, _) in self._ids.items()}
        longest = sorted(self._ids, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest)) if longest else r"(?!)")

    def __contains__(self, text: str) -> bool:
        return text in self._ids

    def id(self, text: str) -> int:
        """Id of a special token; ``KeyError`` if it is none."""
        return self._ids[text][0]

    def name(self, number: int) -> str:
        """The special token of an id; ``KeyError`` if it is none."""
        return self._names[number]

    def places(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Each special token: where it begins and ends, and its id.

        White space beside a token that takes it in is part of it.
        """
        for found in self._pattern.finditer(text):
            number, left, right = self._ids[found[0]]
            start, end = found.span()
            if left:
                start = len(text[:start].rstrip())
            if right:
                end = len(text) - len(text[end:].lstrip())
            yield start, end, number
