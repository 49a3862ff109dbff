"""Which training items stand as shots before a benchmark's question."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Int64

from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask, FewShot
from vilax.evaluation.binding import BoundShots
from vilax.evaluation.contamination import Guard
from vilax.evaluation.drawing import drawn
from vilax.evaluation.expressions import Expressions
from vilax.evaluation.nearest import Nearest, Similarity
from vilax.evaluation.question import Question

__all__ = ["ShotChooser", "Similarity"]

Places = Int64[np.ndarray, " items"]
"""Places of items in the pool, in the order of their file."""


@dataclass(frozen=True)
class _Candidates:
    """Items that may be shots under one seed.

    Attributes:
        groups: value of ``within`` to value of ``balance`` to places.
        nearest: their likeness to questions; None where it is not asked for.
    """

    groups: dict[str, dict[str, Places]]
    nearest: Nearest | None


class ShotChooser:
    """Chooses a question's shots as a function of the seed and the question's id alone.

    Nothing depends on batch, process, order of evaluation or arm, so arms are compared on the same
    prompts; fewer shots are the first of more (with ``similar`` the last, most alike ones;
    protocols.md 13.1, 13.3). ``random`` and ``fixed`` know nothing of the model; ``similar`` asks
    its encoder, so arms whose encoders differ may see other shots. As in OpenFlamingo's RICES a
    training picture with several questions may give several shots.

    Args:
        name: the task's name.
        task: its settings.
        pool: training items; with ``binding`` all pictures.
        similarity: features of pictures; None where the model sees nothing.
        questions: that will be asked.

    Raises:
        ConfigError: an expression is none or fails on a training item.
    """

    def __init__(
        self,
        name: str,
        task: BenchmarkTask,
        pool: Sequence[Question],
        similarity: Similarity | None,
        questions: Sequence[Question],
    ) -> None:
        self._where = f"evaluation.tasks.{name}"
        self._few = task.few_shot or FewShot(files={})
        self._pool, self._similarity, self._questions = pool, similarity, questions
        expressions = Expressions(self._where)
        guard = Guard(pool, expressions.template("prompt", task.prompt))
        self._guard = guard
        self._bound = BoundShots(self._where, pool, guard) if task.binding else None
        few = self._few
        self._within = expressions.value("few_shot.within", few.within) if few.within else None
        self._label = expressions.value("few_shot.balance", few.balance) if few.balance else None
        self._seeds: dict[int | None, _Candidates] = {}
        self._barred: dict[tuple[str, int], int] = {}

    @property
    def barred(self) -> int:
        """Choices that the guard refused, over all questions and seeds asked so far."""
        return sum(self._barred.values())

    def choose(self, question: Question, k: int, seed: int) -> list[Question]:
        """The shots of a question, in the order of the prompt.

        Args:
            question: one of the questions.
            k: how many; with ``binding`` of each class.
            seed: of the choice.

        Raises:
            ConfigError: fewer than k items may be its shots, or likeness is asked of a model that
                sees no pictures.
        """
        if k == 0:
            return []
        if self._bound is not None:
            return self._bound.choose(question, k, seed)
        candidates = self._candidates(seed)
        value = str(self._within(question.record)) if self._within else ""
        group = candidates.groups.get(value, {})
        barred: list[int] = []
        found = list(islice(self._allowed(question, seed, candidates, group, barred), k))
        if len(found) < k:
            raise ConfigError(self._too_few(question, k, len(found), len(barred), group))
        if barred:
            key = (question.id, seed)
            self._barred[key] = max(self._barred.get(key, 0), len(barred))
        if candidates.nearest is not None:
            places = np.array(found)
            likeness = candidates.nearest.likeness(question, places).tolist()
            ranks = sorted(range(k), key=lambda rank: (likeness[rank], -found[rank]))
            found = [found[rank] for rank in ranks]
        return [self._pool[place] for place in found]

    def _allowed(
        self,
        question: Question,
        seed: int,
        candidates: _Candidates,
        group: dict[str, Places],
        barred: list[int],
    ) -> Iterator[int]:
        """Places in the order of choice, labels by turns, without those that the guard bars."""

        def stream(label: str) -> Iterator[int]:
            places = group[label]
            if candidates.nearest is not None:
                order: Iterable[int] = candidates.nearest.order(question, places)
            elif self._few.select == "fixed":
                order = places.tolist()
            else:
                ranks = drawn(f"{seed}/{question.id}/{label}", len(places))
                order = (int(places[rank]) for rank in ranks)
            for place in order:
                if self._guard.bars(question, self._pool[place]):
                    barred.append(place)
                else:
                    yield place

        labels = list(group)
        order: Iterable[int] = range(len(labels))
        if self._few.select != "fixed":
            order = drawn(f"{seed}/{question.id}", len(labels))
        return _by_turns(stream(labels[number]) for number in order)

    def _candidates(self, seed: int) -> _Candidates:
        key = None if self._few.pool is None else seed
        if key not in self._seeds:
            places: Sequence[int] = range(len(self._pool))
            if self._few.pool is not None:
                ranks = drawn(f"{seed}/pool", len(self._pool))
                places = sorted(islice(ranks, self._few.pool))
            self._seeds[key] = _Candidates(self._groups(places), self._nearest(places))
        return self._seeds[key]

    def _groups(self, places: Iterable[int]) -> dict[str, dict[str, Places]]:
        groups: dict[str, dict[str, list[int]]] = {}
        for place in places:
            record = self._pool[place].record
            value = str(self._within(record)) if self._within else ""
            label = str(self._label(record)) if self._label else ""
            groups.setdefault(value, {}).setdefault(label, []).append(place)
        return {
            value: {label: np.array(some) for label, some in labels.items()}
            for value, labels in groups.items()
        }

    def _nearest(self, places: Sequence[int]) -> Nearest | None:
        if self._few.select != "similar":
            return None
        if self._similarity is None or not any(self._pool[place].pictures for place in places):
            lack = "the model" if self._similarity is None else "the training split"
            raise ConfigError(
                f"{self._where}.few_shot.select='similar': {lack} has no pictures to compare;"
                " expected random or fixed"
            )
        return Nearest(self._pool, np.array(places), self._similarity, self._questions)

    def _too_few(
        self, question: Question, k: int, found: int, barred: int, group: dict[str, Places]
    ) -> str:
        among = f"{sum(len(places) for places in group.values())} training items"
        if self._few.within:
            among += f" of the same {self._few.within}"
        if self._few.pool is not None:
            among += f" in a pool of {self._few.pool}"
        return (
            f"{self._where}.shots: question {question.id!r} has {found} possible shots, {k} are"
            f" asked for: there are {among}, of which {barred} are the question itself or show its"
            f" picture; expected at most {found} shots"
        )


def _by_turns(streams: Iterable[Iterator[int]]) -> Iterator[int]:
    """The first of each stream, then the second of each, until all are read."""
    waiting = streams
    while True:
        running: list[Iterator[int]] = []
        for stream in waiting:
            for place in islice(stream, 1):
                running.append(stream)
                yield place
        if not running:
            return
        waiting = running
