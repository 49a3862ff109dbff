"""Word n-grams of evaluation texts, and where they occur again."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")
"""A word, or one character of a script that is written without spaces."""

SHORTEST = 5
"""Words that a text has at least, to be looked for as a whole where it has no n-gram."""


def words(text: str) -> list[str]:
    """Words in lower case, compatibility forms folded (NFKC), without punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def _hash(gram: Sequence[str]) -> int:
    return int.from_bytes(hashlib.blake2b(" ".join(gram).encode(), digest_size=8).digest(), "big")


class TextIndex:
    """Evaluation texts by their n-grams, eight bytes each.

    A text of fewer words than n, but at least ``SHORTEST``, is looked for as a whole. N-grams that
    occur in more than ``common`` of all texts (and in three at least) are the question's frame, not
    its content, and are left out.

    Args:
        texts: for each item its texts.
        size: words of an n-gram.
        common: share of items above which an n-gram tells nothing.
    """

    def __init__(
        self, texts: Iterable[Sequence[str]], size: int = 13, common: float = 0.01
    ) -> None:
        self._size = size
        grams: dict[int, list[int]] = {}
        seen: Counter[int] = Counter()
        total = 0
        self._sizes = {size}
        for item, several in enumerate(texts):
            total += 1
            own: set[int] = set()
            for text in several:
                found = words(text)
                length = min(size, len(found))
                if length < SHORTEST:
                    continue
                self._sizes.add(length)
                own.update(_hash(found[i : i + length]) for i in range(len(found) - length + 1))
            for gram in own:
                grams.setdefault(gram, []).append(item)
                seen[gram] += 1
        most = max(3, int(common * total))
        self._grams = {gram: items for gram, items in grams.items() if seen[gram] <= most}

    def __len__(self) -> int:
        return len(self._grams)

    def find(self, text: str) -> dict[int, str]:
        """Items with an n-gram in the text, with the first n-gram that they share with it."""
        found = words(text)
        shared: dict[int, str] = {}
        for length in sorted(self._sizes, reverse=True):
            for start in range(len(found) - length + 1):
                for item in self._grams.get(_hash(found[start : start + length]), ()):
                    shared.setdefault(item, " ".join(found[start : start + length]))
        return shared
