"""Questions that bind new words to classes within the prompt (fast mapping)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import Binding
from vilax.evaluation.contamination import Guard
from vilax.evaluation.drawing import drawn
from vilax.evaluation.expressions import Expressions
from vilax.evaluation.question import DRAW_SEED, Question


def bind(
    name: str, binding: Binding, pictures: Sequence[Question], most: int
) -> tuple[list[Question], list[Question]]:
    """Questions for the word of a picture, and the pictures that may show what words mean.

    Each question draws classes, gives each a word, and asks for the word of a picture of one of
    them; its candidates are the words, in the order of ``binding.words``, which says nothing of the
    answer. Words mean something else in every question, so nothing is learned but from its shots
    (Tsimpoukelli et al. 2021, Frozen: open-ended miniImageNet). Classes, words and picture are a
    function of the question's number alone: more questions begin with the fewer. Records gain
    ``class``, ``words`` (word to class) and ``candidates``.

    Args:
        name: the task's name.
        binding: ways, words and number of questions.
        pictures: labelled pictures.
        most: shots of a class at most; classes with no more pictures than that are left out.

    Returns:
        Questions, pool of the shots.

    Raises:
        ConfigError: there are too few classes or words, or a record shows no picture.
    """
    where = f"evaluation.tasks.{name}.binding"
    words = binding.words
    if len(set(words)) < max(len(words), binding.ways):
        raise ConfigError(
            f"{where}.words={list(words)}: expected at least ways={binding.ways} different words"
        )
    classes = _classes(where, binding, pictures, most)
    names = sorted(classes)
    questions = []
    for number in range(binding.questions):
        key = f"{DRAW_SEED}/binding/{number}"
        chosen = [names[place] for place in islice(drawn(f"{key}/class", len(names)), binding.ways)]
        given = list(islice(drawn(f"{key}/word", len(words)), binding.ways))
        word_of = dict(zip(chosen, (words[place] for place in given), strict=True))
        # Classes stand in a drawn order, so the first is any of them.
        target = classes[chosen[0]]
        picture = target[next(drawn(f"{key}/picture", len(target)))]
        meanings = {words[place]: chosen[given.index(place)] for place in sorted(given)}
        more = {"class": chosen[0], "words": meanings}
        question = _worded(picture, word_of[chosen[0]], {**more, "candidates": tuple(meanings)})
        questions.append(
            replace(
                question,
                id=str(number),
                unit=str(number),
                candidates=tuple(meanings),
                facts={**picture.facts, **more},
            )
        )
    return questions, [picture for name in names for picture in classes[name]]


def _classes(
    where: str, binding: Binding, pictures: Sequence[Question], most: int
) -> dict[str, list[Question]]:
    label = Expressions(where).value("label", binding.label)
    classes: dict[str, list[Question]] = {}
    for picture in pictures:
        if not picture.pictures:
            raise ConfigError(f"{where}: record {picture.id!r} shows no picture")
        value = str(label(picture.record))
        record = {**picture.record, "class": value}
        classes.setdefault(value, []).append(replace(picture, record=record))
    kept = {value: some for value, some in classes.items() if len(some) > most}
    if len(kept) < binding.ways:
        raise ConfigError(
            f"{where}.ways={binding.ways}: {len(kept)} of {len(classes)} classes have more than"
            f" {most} pictures, as many as {most} shots and a question need; expected at most"
            f" {len(kept)} ways, or fewer shots"
        )
    return kept


class BoundShots:
    """Pictures of every class in a question, each with its word.

    Args:
        where: how messages call the task.
        pool: pictures, as ``bind`` returns them.
        guard: keeps the question's own picture out.
    """

    def __init__(self, where: str, pool: Sequence[Question], guard: Guard) -> None:
        self._where, self._guard = where, guard
        self._members: dict[str, list[Question]] = {}
        for picture in pool:
            self._members.setdefault(picture.record["class"], []).append(picture)

    def choose(self, question: Question, k: int, seed: int) -> list[Question]:
        """k pictures of each class, in k rounds that show each class once.

        Which pictures and the order within each round are drawn by seed and question; fewer shots
        are the first rounds of more.

        Raises:
            ConfigError: a class has fewer than k other pictures.
        """
        meanings: Mapping[str, str] = question.record["words"]
        words = list(meanings)
        of_word = [list(islice(self._others(question, meanings[w], seed), k)) for w in words]
        for word, found in zip(words, of_word, strict=True):
            if len(found) < k:
                raise ConfigError(
                    f"{self._where}.shots: question {question.id!r} has {len(found)} possible shots"
                    f" of class {meanings[word]!r}, {k} are asked for; expected at most"
                    f" {len(found)}"
                )
        return [
            _worded(of_word[way][turn], words[way], {})
            for turn in range(k)
            for way in drawn(f"{seed}/{question.id}/round/{turn}", len(words))
        ]

    def _others(self, question: Question, name: str, seed: int) -> Iterator[Question]:
        members = self._members[name]
        for place in drawn(f"{seed}/{question.id}/{name}", len(members)):
            if not self._guard.bars(question, members[place]):
                yield members[place]


def _worded(picture: Question, word: str, more: Mapping[str, Any]) -> Question:
    record = {**picture.record, **more, "answers": (word,)}
    return replace(picture, answers=(word,), record=record)
