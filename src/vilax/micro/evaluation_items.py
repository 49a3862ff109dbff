"""Items of each split of the evaluation data, with the shots that they may use."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from vilax.micro.assets import Concept, Relation
from vilax.micro.language import (
    CAPTION_REQUESTS,
    CAPTION_STYLES,
    QUESTIONS,
    RELATIONS,
    SEEN_FORMATS,
    SEEN_RELATIONS,
    UNSEEN_FORMATS,
    UNSEEN_RELATIONS,
    Format,
    fill,
)

DRAWINGS = 3
"""Drawings of each concept in splits whose items differ by drawing alone."""
BINDING_SHOTS = 8
REFERENCES = 5
OFFERED_SHOTS = 32
"""Shots among which a seed may draw, for each item."""
CHOICES = 8
"""Names among which ``classify`` asks to choose."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a split; ``vilax.micro.evaluation_data`` says what each field holds."""

    id: str
    image: str | None
    subject: str
    relation: str
    format: str | None
    between: str | None
    after: str | None
    question: str | None
    answers: list[str]
    candidates: list[str] | None
    novel: list[str]
    shots: list[str] | None
    shot_order: Literal["draw", "prefix"]


@dataclass(frozen=True, slots=True)
class Split:
    """Items to be scored, and items from which their shots are taken."""

    items: list[Item]
    shots: list[Item]


def _picture(concept: Concept, number: int = 0) -> str:
    return f"images/{concept.name}-{number}.png"


def _candidates(
    rng: random.Random,
    concept: Concept,
    asked: Relation,
    among: Sequence[Relation],
    others: Sequence[Concept],
) -> list[str]:
    """The concept's attributes and those of two others that differ from it in as many as can be."""

    def clashes(other: Concept) -> int:
        same = sum(other.attribute(r) == concept.attribute(r) for r in among)
        return same + 100 * (other.attribute(asked) == concept.attribute(asked))

    pool = [other for other in rng.sample(others, len(others)) if other != concept]
    chosen = sorted(pool, key=clashes)[:1]
    chosen += sorted(
        (other for other in pool if other not in chosen),
        key=lambda other: (
            clashes(other) + sum(other.attribute(r) == chosen[0].attribute(r) for r in among)
        ),
    )[:1]
    words = {c.attribute(relation) for c in (concept, *chosen) for relation in among}
    result = sorted(words)
    rng.shuffle(result)
    return result


def _asked(
    split: str,
    concept: Concept,
    relation: str,
    question: str,
    answers: list[str],
    tag: str,
    drawing: int = 0,
    candidates: list[str] | None = None,
) -> Item:
    """An item with a question, as yet without shots."""
    return Item(
        id=f"{split}-{tag}-{concept.name}",
        image=_picture(concept, drawing),
        subject=concept.name,
        relation=relation,
        format=None,
        between=None,
        after=None,
        question=question,
        answers=answers,
        candidates=candidates,
        novel=[],
        shots=None,
        shot_order="draw",
    )


def _with_shots(item: Item, ids: list[str], order: Literal["draw", "prefix"]) -> Item:
    return Item(**{**asdict(item), "shots": ids, "shot_order": order})


def _offer(rng: random.Random, item: Item, pool: Sequence[Item]) -> Item:
    """Let an item draw its shots from a pool, none of them about its own subject."""
    ids = [shot.id for shot in pool if shot.subject != item.subject]
    return _with_shots(item, rng.sample(ids, min(OFFERED_SHOTS, len(ids))), "draw")


def open_answer(rng: random.Random, tested: Sequence[Concept], pool: Sequence[Concept]) -> Split:
    """Questions about one picture, answered by one word."""

    def make(concepts: Sequence[Concept]) -> list[Item]:
        return [
            _asked(
                "open_answer",
                concept,
                relation,
                rng.choice(QUESTIONS[relation]),
                [concept.attribute(relation)],
                relation,
            )
            for relation in SEEN_RELATIONS
            for concept in concepts
        ]

    shots = make(pool)
    return Split([_offer(rng, item, shots) for item in make(tested)], shots)


def caption(rng: random.Random, tested: Sequence[Concept], pool: Sequence[Concept]) -> Split:
    """Requests for a caption; the shots of an item are all in one style."""
    styles = CAPTION_STYLES[:REFERENCES]

    def item(concept: Concept, first: int, drawing: int) -> Item:
        references = [fill(style, concept) for style in styles[first:] + styles[:first]]
        return _asked(
            "caption",
            concept,
            "caption",
            rng.choice(CAPTION_REQUESTS),
            references,
            f"{first}-{drawing}",
            drawing,
        )

    shots = [[item(c, first, 0) for c in pool] for first in range(len(styles))]
    items = []
    for drawing in range(DRAWINGS):
        for concept in tested:
            first = rng.randrange(len(styles))
            items.append(_offer(rng, item(concept, first, drawing), shots[first]))
    return Split(items, [shot for of_style in shots for shot in of_style])


def classify(
    rng: random.Random,
    tested: Sequence[Concept],
    pool: Sequence[Concept],
    concepts: Sequence[Concept],
) -> Split:
    """Which of eight names fits the picture."""

    def item(concept: Concept, drawing: int) -> Item:
        others = [other.name for other in concepts if other != concept]
        names = [concept.name, *rng.sample(others, min(CHOICES - 1, len(others)))]
        rng.shuffle(names)
        question = QUESTIONS["name"][0]
        return _asked(
            "classify", concept, "name", question, [concept.name], str(drawing), drawing, names
        )

    shots = [item(concept, 0) for concept in pool]
    items = [item(concept, drawing) for drawing in range(DRAWINGS) for concept in tested]
    return Split([_offer(rng, each, shots) for each in items], shots)


def _related(
    split: str, concept: Concept, relation: Relation, fmt: Format, candidates: list[str] | None
) -> Item:
    novel = ["relation"] if relation in UNSEEN_RELATIONS else []
    novel += ["format"] if fmt in UNSEEN_FORMATS else []
    return Item(
        id=f"{split}-{relation}-{fmt.name}-{concept.name}",
        image=_picture(concept),
        subject=concept.name,
        relation=relation,
        format=fmt.name,
        between=fmt.between,
        after=fmt.after,
        question=None,
        answers=[concept.attribute(relation)],
        candidates=candidates,
        novel=novel,
        shots=None,
        shot_order="draw",
    )


def relations(
    rng: random.Random,
    split: str,
    tested: Sequence[Concept],
    pool: Sequence[Concept],
    concepts: Sequence[Concept],
) -> Split:
    """Each test concept once with every cell of relations and formats that the split asks for."""
    cells: list[tuple[Relation, tuple[Format, ...]]]
    if split == "relation_seen":
        among = SEEN_RELATIONS
        cells = [(relation, SEEN_FORMATS) for relation in among]
    else:
        among = RELATIONS
        cells = [(relation, UNSEEN_FORMATS) for relation in among]
        cells += [(relation, SEEN_FORMATS) for relation in UNSEEN_RELATIONS]
    items, shots = [], []
    for relation, formats in cells:
        by_format = {
            fmt: [_related(split, concept, relation, fmt, None) for concept in pool]
            for fmt in formats
        }
        shots += [shot for of_format in by_format.values() for shot in of_format]
        for concept in tested:
            fmt = rng.choice(formats)
            candidates = _candidates(rng, concept, relation, among, concepts)
            item = _related(split, concept, relation, fmt, candidates)
            items.append(_offer(rng, item, by_format[fmt]))
    return Split(items, shots)


def _bound(
    concept: Concept, drawing: int, key: str, fmt: Format, answer: str, candidates: list[str]
) -> Item:
    return Item(
        id=key,
        image=_picture(concept, drawing),
        subject=concept.name,
        relation="binding",
        format=fmt.name,
        between=fmt.between,
        after=fmt.after,
        question=None,
        answers=[answer],
        candidates=candidates,
        novel=["relation"],
        shots=None,
        shot_order="prefix",
    )


def binding(
    rng: random.Random, tested: Sequence[Concept], words: Sequence[str], count: int
) -> Split:
    """Two concepts bound to two of ``words`` by the item's own shots; one is asked about."""
    items, shots = [], []
    for number in range(count if len(tested) > 1 else 0):
        fmt = rng.choice(SEEN_FORMATS)
        asked = rng.choice(tested)
        other = rng.choice(
            [c for c in tested if c.kind != asked.kind] or [c for c in tested if c != asked]
        )
        word, other_word = rng.sample(words, 2)
        candidates = sorted((word, other_word))
        key = f"binding-{number:04d}"
        shown: list[Item] = []
        for drawing in range(1, BINDING_SHOTS // 2 + 1):
            turn = [(asked, word), (other, other_word)]
            rng.shuffle(turn)
            for concept, answer in turn:
                shot = f"{key}-shot-{len(shown)}"
                shown.append(_bound(concept, drawing, shot, fmt, answer, candidates))
        shots += shown
        item = _bound(asked, 0, key, fmt, word, candidates)
        items.append(_with_shots(item, [shot.id for shot in shown], "prefix"))
    return Split(items, shots)
