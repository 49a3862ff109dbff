"""Text corpora: examples of one relation repeated, facts, and text-only instructions."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from vilax.config.schema.data import MicroWorld
from vilax.micro.assets import Concept, Relation
from vilax.micro.language import (
    CAPTION_STYLES,
    FACTS,
    FORMATS,
    PAGE_OPENINGS,
    SEEN_FORMATS,
    SEEN_RELATIONS,
    SHORT_CAPTIONS,
    TEXT_QUESTIONS,
    Format,
    examples,
    fill,
    invented_words,
)

DocumentKind = Literal["facts", "binding"] | Relation

TEXT_SHARES: dict[DocumentKind, float] = {
    "facts": 0.25,
    "binding": 0.20,
    "name": 0.12,
    "kind": 0.13,
    "keyword": 0.13,
    "group": 0.085,
    "letter": 0.085,
}
"""Shares of the text corpus; what is not facts repeats one relation in one format."""

FEW_SHOT_SHARE = 0.6
"""Text instructions that show examples; the others ask directly."""


def _binding(rng: random.Random, fmt: Format, concepts: Sequence[Concept]) -> str:
    """Two to four words bound to concepts, then asked for again and again."""
    count = rng.randint(2, 4)
    subjects = rng.sample(concepts, count)
    words = rng.sample(invented_words("training"), count)
    bound = [(subject.name, word) for subject, word in zip(subjects, words, strict=True)]
    again = rng.choices(bound, k=rng.randint(4, 12))
    return examples(fmt, bound + again)


def _relation(
    rng: random.Random, fmt: Format, relation: Relation, concepts: Sequence[Concept]
) -> str:
    chosen = rng.sample(concepts, rng.randint(4, min(14, len(concepts))))
    pairs = [(concept.name, concept.attribute(relation)) for concept in chosen]
    if relation == "name":
        # Invented words kept for evaluation are met here alone: as words, bound to nothing.
        words = invented_words("training") + invented_words("evaluation")
        for place in range(len(pairs)):
            if rng.random() < 0.15:
                word = rng.choice(words)
                pairs[place] = (word, word)
    return examples(fmt, pairs)


def _facts(rng: random.Random, concepts: Sequence[Concept]) -> str:
    templates = (*CAPTION_STYLES, *PAGE_OPENINGS, *FACTS, *(f"{t} ." for t in SHORT_CAPTIONS))
    if rng.random() < 0.5:
        template = rng.choice(templates)
        chosen = rng.sample(concepts, rng.randint(2, 5))
        return " ".join(fill(template, concept) for concept in chosen)
    concept = rng.choice(concepts)
    return " ".join(fill(t, concept) for t in rng.sample(templates, rng.randint(2, 5)))


def texts(world: MicroWorld, concepts: Sequence[Concept]) -> Iterator[dict[str, str]]:
    """The text corpus: ``{"text": ...}`` a document."""
    rng = random.Random(f"texts {world.seed}")
    kinds, shares = list(TEXT_SHARES), list(TEXT_SHARES.values())
    for _ in range(world.texts):
        kind = rng.choices(kinds, shares)[0]
        fmt = rng.choice(FORMATS)
        if kind == "facts":
            text = _facts(rng, concepts)
        elif kind == "binding":
            text = _binding(rng, fmt, concepts)
        else:
            text = _relation(rng, fmt, kind, concepts)
        yield {"text": text}


def text_instructions(world: MicroWorld, concepts: Sequence[Concept]) -> Iterator[dict[str, Any]]:
    """FLAN-style text instructions: ``{"inputs": ..., "targets": ...}``."""
    rng = random.Random(f"text instructions {world.seed}")
    for _ in range(world.text_instructions):
        relation = rng.choice(SEEN_RELATIONS)
        if rng.random() < FEW_SHOT_SHARE:
            fmt = rng.choice(SEEN_FORMATS)
            *shown, asked = rng.sample(concepts, rng.randint(2, 7))
            shots = examples(fmt, [(c.name, c.attribute(relation)) for c in shown])
            inputs = f"{shots} {asked.name} {fmt.between}"
        else:
            asked = rng.choice(concepts)
            inputs = fill(rng.choice(TEXT_QUESTIONS[relation]), asked)
        yield {"inputs": inputs, "targets": asked.attribute(relation)}
