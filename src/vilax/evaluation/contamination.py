"""Which training items would give a test item away if they were its shots."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError
from vilax.evaluation.pictures import BytesPicture, Picture
from vilax.evaluation.question import Question

Shown = Path | bytes
"""What a picture is a view of: a file (of a video, one for all frames), or bytes."""


class Guard:
    """Keeps shots apart from the question that they stand before (protocols.md 13.3).

    A shot is barred if it is the question: the same id in the same file, or, without pictures, the
    same prompt. It is barred if it shows one of the question's pictures: the same file, the same
    bytes, or a file of the same stem, as copies in other folders and formats have it. A stem that
    more than half of the pool's pictures bear (``image.png`` in a folder for each question) says
    nothing.

    Args:
        pool: items that may be shots.
        prompt: a question's prompt from its record.
    """

    def __init__(
        self, pool: Sequence[Question], prompt: Callable[[Mapping[str, Any]], str]
    ) -> None:
        self._pool, self._prompt = pool, prompt
        self._sizes: dict[Path, int] = {}
        self._digests: dict[Path, bytes] = {}

    def bars(self, question: Question, shot: Question) -> bool:
        """Whether ``shot`` must not stand before ``question``.

        Raises:
            ConfigError: a picture's file is gone.
        """
        same_file = shot.record.get("file") == question.record.get("file")
        if same_file and shot.id == question.id:
            return True
        if not question.pictures:
            return not shot.pictures and self._same_words(question, shot)
        ours, theirs = _shown(question.pictures), _shown(shot.pictures)
        return any(self._same_picture(one, other) for one in ours for other in theirs)

    def _same_words(self, question: Question, shot: Question) -> bool:
        return question.text == shot.text and self._asked(question) == self._asked(shot)

    def _asked(self, question: Question) -> str:
        return self._prompt({**question.record, "image": "", "options": question.options})

    def _same_picture(self, one: Shown, other: Shown) -> bool:
        if one == other:
            return True
        if isinstance(one, Path) and isinstance(other, Path):
            stem = _stem(one)
            if stem == _stem(other) and stem not in self._empty_stems:
                return True
        # Nearly all pictures differ in size, so nearly none is read.
        return self._size(one) == self._size(other) and self._digest(one) == self._digest(other)

    @cached_property
    def _empty_stems(self) -> set[str]:
        shown = {one for item in self._pool for one in _shown(item.pictures)}
        stems = Counter(_stem(one) for one in shown if isinstance(one, Path))
        return {stem for stem, count in stems.items() if 2 * count > max(len(shown), 2)}

    def _size(self, shown: Shown) -> int:
        if isinstance(shown, bytes):
            return len(shown)
        if shown not in self._sizes:
            try:
                self._sizes[shown] = shown.stat().st_size
            except OSError as error:
                raise ConfigError(f"picture {shown} cannot be read: {error.strerror}") from error
        return self._sizes[shown]

    def _digest(self, shown: Shown) -> bytes:
        if isinstance(shown, bytes):
            return hashlib.sha256(shown).digest()
        if shown not in self._digests:
            with shown.open("rb") as file:
                self._digests[shown] = hashlib.file_digest(file, "sha256").digest()
        return self._digests[shown]


def _shown(pictures: Sequence[Picture]) -> dict[Shown, None]:
    return dict.fromkeys(p.data if isinstance(p, BytesPicture) else p.path for p in pictures)


def _stem(path: Path) -> str:
    return path.stem.lower()
