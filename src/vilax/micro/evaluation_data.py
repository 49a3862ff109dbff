"""Evaluation items: pictures of an artist whose drawings no corpus holds.

A folder of evaluation data holds, for each split, ``<split>.jsonl`` (items), ``<split>_shots.jsonl``
(items that may serve as shots, never scored) and ``images/`` (paths are relative to the folder).
The folder ``dev`` inside it has the same layout over other concepts. A line is::

    {"id": "relation_seen-kind-is-cat", unique within the two files of a split,
     "image": "images/cat-0.png",      or null,
     "subject": "cat",                 the word that stands for the picture in text
     "relation": "kind",               name | kind | keyword | group | letter | binding | caption
     "format": "is",                   how an example is written; null where "question" is not
     "between": "is", "after": ".",    example = subject, between, answer, after; null likewise
     "question": null,                 or what the user asks about the picture
     "answers": ["mammal"],            any is right; a caption's references
     "candidates": [...],              among which the answer is ranked, each one word; or null
     "novel": [],                      what pages and instructions never show: relation, format
     "shots": ["relation_seen-kind-is-rose", ...],   ids in <split>_shots.jsonl; null in that file
     "shot_order": "draw"}             draw any k of them | prefix: take the first k, in order

Splits: ``open_answer``, ``caption``, ``classify`` (with a question); ``relation_seen``,
``relation_unseen``, ``binding`` (with a format). Candidates of relation items hold the item's other
attributes and all those of other concepts, so that the right sort of word is not yet the answer.
A binding item names two pictures with two invented words; every prefix of even length of its shots
shows both words equally often, on other drawings than the one asked about.

Concepts are divided once and for all, whatever the world's seed: 40 % give shots, 40 % are tested,
20 % are for development.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from vilax.config.schema.data import MicroWorld
from vilax.micro.assets import Concept, Relation, load_concepts
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
    invented_words,
)
from vilax.micro.views import draw_test_picture, encode
from vilax.micro.writers import write_jsonl

Part = Literal["pool", "test", "dev"]

SPLITS: tuple[str, ...] = (
    "open_answer",
    "caption",
    "classify",
    "relation_seen",
    "relation_unseen",
    "binding",
)
PATTERN: tuple[Part, ...] = (
    *("pool", "test", "pool", "pool", "dev"),
    *("test", "pool", "test", "dev", "test"),
)
"""Part of a concept by its place within its kind, begun elsewhere for each kind."""
DRAWINGS = 3
"""Drawings of each concept in splits whose items differ by drawing alone."""
BINDING_ITEMS: dict[Part, int] = {"test": 320, "dev": 160}
BINDING_SHOTS = 8
REFERENCES = 5
OFFERED_SHOTS = 32
"""Shots among which a seed may draw, for each item."""
CHOICES = 8
"""Names among which ``classify`` asks to choose."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a split; see the module's own words."""

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


def parts(concepts: Sequence[Concept]) -> dict[Part, list[Concept]]:
    """Divide concepts into those for shots, for tests and for development."""
    kinds: dict[str, int] = {}
    places: dict[str, int] = {}
    result: dict[Part, list[Concept]] = {"pool": [], "test": [], "dev": []}
    for concept in load_concepts():
        kinds.setdefault(concept.kind, len(kinds))
    for concept in concepts:
        place = places.get(concept.kind, 0)
        places[concept.kind] = place + 1
        result[PATTERN[(place + 3 * kinds[concept.kind]) % len(PATTERN)]].append(concept)
    return result


def _picture(concept: Concept, number: int = 0) -> str:
    return f"images/{concept.name}-{number}.png"


def _candidates(
    rng: random.Random,
    concept: Concept,
    asked: Relation,
    relations: Sequence[Relation],
    others: Sequence[Concept],
) -> list[str]:
    """The concept's attributes and those of two others that differ from it in as many as can be."""

    def clashes(other: Concept) -> int:
        same = sum(other.attribute(r) == concept.attribute(r) for r in relations)
        return same + 100 * (other.attribute(asked) == concept.attribute(asked))

    pool = [other for other in rng.sample(others, len(others)) if other != concept]
    chosen = sorted(pool, key=clashes)[:1]
    chosen += sorted(
        (other for other in pool if other not in chosen),
        key=lambda other: (
            clashes(other) + sum(other.attribute(r) == chosen[0].attribute(r) for r in relations)
        ),
    )[:1]
    words = {c.attribute(relation) for c in (concept, *chosen) for relation in relations}
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


def _open_answer(rng: random.Random, tested: list[Concept], pool: list[Concept]) -> Split:
    def make(concepts: list[Concept]) -> list[Item]:
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


def _caption(rng: random.Random, tested: list[Concept], pool: list[Concept]) -> Split:
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


def _classify(
    rng: random.Random, tested: list[Concept], pool: list[Concept], concepts: Sequence[Concept]
) -> Split:
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


def _relations(
    rng: random.Random,
    split: str,
    tested: list[Concept],
    pool: list[Concept],
    concepts: Sequence[Concept],
) -> Split:
    """Each test concept once with every cell of relations and formats that the split asks for."""
    cells: list[tuple[Relation, tuple[Format, ...]]]
    if split == "relation_seen":
        relations = SEEN_RELATIONS
        cells = [(relation, SEEN_FORMATS) for relation in relations]
    else:
        relations = RELATIONS
        cells = [(relation, UNSEEN_FORMATS) for relation in relations]
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
            candidates = _candidates(rng, concept, relation, relations, concepts)
            item = _related(split, concept, relation, fmt, candidates)
            items.append(_offer(rng, item, by_format[fmt]))
    return Split(items, shots)


def _binding(rng: random.Random, part: Part, tested: list[Concept]) -> Split:
    words = invented_words("evaluation")
    words = words[0::2] if part == "test" else words[1::2]
    items, shots = [], []
    for number in range(BINDING_ITEMS[part] if len(tested) > 1 else 0):
        fmt = rng.choice(SEEN_FORMATS)
        asked = rng.choice(tested)
        other = rng.choice(
            [c for c in tested if c.kind != asked.kind] or [c for c in tested if c != asked]
        )
        word, other_word = rng.sample(words, 2)
        key = f"binding-{number:04d}"

        def bound(
            concept: Concept,
            answer: str,
            drawing: int,
            key: str,
            fmt: Format = fmt,
            candidates: tuple[str, ...] = (word, other_word),
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
                candidates=sorted(candidates),
                novel=["relation"],
                shots=None,
                shot_order="prefix",
            )

        shown = []
        for drawing in range(1, BINDING_SHOTS // 2 + 1):
            turn = [(asked, word), (other, other_word)]
            rng.shuffle(turn)
            for concept, answer in turn:
                shown.append(bound(concept, answer, drawing, f"{key}-shot-{len(shown)}"))
        shots += shown
        item = bound(asked, word, 0, key)
        items.append(_with_shots(item, [shot.id for shot in shown], "prefix"))
    return Split(items, shots)


def splits(concepts: Sequence[Concept], part: Part) -> Iterator[tuple[str, Split]]:
    """Every split over the concepts of one part, items in random order.

    Args:
        concepts: the world's concepts.
        part: ``test`` or ``dev``.
    """
    divided = parts(concepts)
    tested, pool = divided[part], divided["pool"]
    for name in SPLITS:
        rng = random.Random(f"{name} {part}")
        match name:
            case "open_answer":
                split = _open_answer(rng, tested, pool)
            case "caption":
                split = _caption(rng, tested, pool)
            case "classify":
                split = _classify(rng, tested, pool, concepts)
            case "binding":
                split = _binding(rng, part, tested)
            case _:
                split = _relations(rng, name, tested, pool, concepts)
        rng.shuffle(split.items)
        yield name, split


def write_evaluation(
    world: MicroWorld,
    concepts: Sequence[Concept],
    folder: Path,
    advance: Callable[[int], None],
) -> dict[str, int]:
    """Write the items and pictures of ``test`` into a folder and those of ``dev`` into its ``dev``.

    Args:
        world: gives the size of the pictures.
        concepts: the world's concepts.
        folder: receives the files.
        advance: called with 1 after each split.

    Returns:
        Items by file, shots not counted.
    """
    by_name = {concept.name: concept for concept in concepts}
    counts = {}
    for part, place in (("test", folder), ("dev", folder / "dev")):
        pictures: set[str] = set()
        for name, split in splits(concepts, "test" if part == "test" else "dev"):
            write_jsonl(place / f"{name}.jsonl", map(asdict, split.items))
            write_jsonl(place / f"{name}_shots.jsonl", map(asdict, split.shots))
            counts[f"{name} {part}"] = len(split.items)
            pictures.update(i.image for i in (*split.items, *split.shots) if i.image)
            advance(1)
        (place / "images").mkdir(exist_ok=True)
        for picture in sorted(pictures):
            name, _, number = Path(picture).stem.rpartition("-")
            drawn = draw_test_picture(by_name[name], int(number), world.image_size)
            (place / picture).write_bytes(encode(drawn, "PNG"))
    return counts
