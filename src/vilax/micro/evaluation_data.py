"""Evaluation items: pictures of an artist whose drawings no corpus holds.

A folder of evaluation data holds, for each split, ``<split>.jsonl`` (items) and
``<split>_shots.jsonl`` (items that may serve as shots, never scored), and ``images/`` (paths are
relative to the folder). The folder ``dev`` inside it has the same layout over other concepts.
A line is::

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
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from vilax.config.schema.data import MicroWorld
from vilax.micro import evaluation_items
from vilax.micro.assets import Concept, load_concepts
from vilax.micro.evaluation_items import Split
from vilax.micro.language import invented_words
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
BINDING_ITEMS: dict[Part, int] = {"test": 320, "dev": 160}


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
                split = evaluation_items.open_answer(rng, tested, pool)
            case "caption":
                split = evaluation_items.caption(rng, tested, pool)
            case "classify":
                split = evaluation_items.classify(rng, tested, pool, concepts)
            case "binding":
                # Development has invented words of its own.
                words = invented_words("evaluation")[0 if part == "test" else 1 :: 2]
                split = evaluation_items.binding(rng, tested, words, BINDING_ITEMS[part])
            case _:
                split = evaluation_items.relations(rng, name, tested, pool, concepts)
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
    places: dict[Part, Path] = {"test": folder, "dev": folder / "dev"}
    for part, place in places.items():
        pictures: set[str] = set()
        for name, split in splits(concepts, part):
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
