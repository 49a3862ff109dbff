"""Corpora with pictures: pairs, interleaved pages, and instructions about one picture."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vilax.config.schema.data import MicroWorld
from vilax.micro.assets import TRAINING_STYLES, Concept, Relation
from vilax.micro.language import (
    CAPTION_REQUESTS,
    CAPTION_STYLES,
    PAGE_OPENINGS,
    QUESTIONS,
    SEEN_FORMATS,
    SEEN_RELATIONS,
    SHORT_CAPTIONS,
    fill,
)
from vilax.micro.views import View

PAGE_PICTURES = (3, 6)
"""Fewest and most pictures of a page; the MMC4 reader takes no more than six."""
CONSISTENT = 0.8
"""Share of sentences of a page about one kind that keep to the page's style."""
MATCHED, UNMATCHED = 0.3, 0.1
"""Similarity of a picture to its own sentence and to others, as pages state it."""


@dataclass(frozen=True, slots=True)
class Page:
    """An interleaved page: pictures, each directly before its sentence."""

    opening: str | None
    """A first sentence without picture."""
    items: tuple[tuple[str, str], ...]
    """File name of a picture, and its sentence."""

    def mmc4(self, number: int) -> dict[str, Any]:
        """The page as a line of MMC4."""
        sentences = [] if self.opening is None else [self.opening]
        images, similarity = [], []
        total = len(sentences) + len(self.items)
        for file, sentence in self.items:
            index = len(sentences)
            sentences.append(sentence)
            images.append(
                {
                    "image_name": file,
                    "raw_url": f"micro://views/{file}",
                    "matched_text_index": index,
                    "matched_sim": MATCHED,
                }
            )
            similarity.append([MATCHED if i == index else UNMATCHED for i in range(total)])
        return {
            "text_list": sentences,
            "url": f"micro://pages/{number}",
            "could_have_url_duplicate": 0,
            "image_info": images,
            "similarity_matrix": similarity,
        }


def _view(rng: random.Random, world: MicroWorld, concept: Concept) -> str:
    return View(concept, rng.choice(TRAINING_STYLES), rng.randrange(world.views)).file


def _captioned(
    world: MicroWorld, concepts: Sequence[Concept], styles: Sequence[str], name: str
) -> Iterator[tuple[str, str]]:
    rng = random.Random(f"{name} {world.seed}")
    for _ in range(world.pairs):
        concept = rng.choice(concepts)
        yield _view(rng, world, concept), fill(rng.choice(styles), concept)


def pairs(world: MicroWorld, concepts: Sequence[Concept]) -> Iterator[tuple[str, str]]:
    """Pictures with captions in several styles: file name and text."""
    return _captioned(world, concepts, CAPTION_STYLES, "pairs")


def captions_align(world: MicroWorld, concepts: Sequence[Concept]) -> Iterator[tuple[str, str]]:
    """Pictures with their bare names: file name and text."""
    return _captioned(world, concepts, SHORT_CAPTIONS, "captions align")


def _gallery(rng: random.Random, world: MicroWorld, concepts: Sequence[Concept]) -> Page:
    relation, fmt = rng.choice(SEEN_RELATIONS), rng.choice(SEEN_FORMATS)
    chosen = rng.sample(concepts, rng.randint(*PAGE_PICTURES))
    return Page(
        None,
        tuple((_view(rng, world, c), fmt.caption(c.attribute(relation))) for c in chosen),
    )


def _about_kind(rng: random.Random, world: MicroWorld, kinds: Sequence[Sequence[Concept]]) -> Page:
    of_kind = rng.choice(kinds)
    count = rng.randint(*PAGE_PICTURES)
    chosen = rng.sample(of_kind, min(count, len(of_kind)))
    chosen += rng.choices(of_kind, k=count - len(chosen))
    style = rng.choice(CAPTION_STYLES)
    items = []
    for concept in chosen:
        template = style if rng.random() < CONSISTENT else rng.choice(CAPTION_STYLES)
        items.append((_view(rng, world, concept), fill(template, concept)))
    opening = fill(rng.choice(PAGE_OPENINGS), chosen[0]) if rng.random() < 0.5 else None
    return Page(opening, tuple(items))


def pages(
    world: MicroWorld,
    concepts: Sequence[Concept],
    gallery_share: float | None = None,
    name: str = "pages",
) -> Iterator[Page]:
    """Interleaved pages: galleries in one relation and format, and pages about one kind.

    Args:
        world: how many pages.
        concepts: what they are about.
        gallery_share: share of galleries; None: the world's.
        name: name of the corpus; each is drawn apart.
    """
    share = world.gallery_share if gallery_share is None else gallery_share
    rng = random.Random(f"{name} {world.seed}")
    by_kind: dict[str, list[Concept]] = {}
    for concept in concepts:
        by_kind.setdefault(concept.kind, []).append(concept)
    kinds = list(by_kind.values())
    for _ in range(world.pages):
        if rng.random() < share:
            yield _gallery(rng, world, concepts)
        else:
            yield _about_kind(rng, world, kinds)


def instructions(world: MicroWorld, concepts: Sequence[Concept]) -> Iterator[dict[str, Any]]:
    """Conversations of one to three turns about one picture, in the LLaVA format.

    No two turns ask for the same thing; a caption is one of the four things to ask for.
    """
    rng = random.Random(f"instructions {world.seed}")
    for number in range(world.instructions):
        concept = rng.choice(concepts)
        turns: list[dict[str, str]] = []
        for asked in rng.sample((*SEEN_RELATIONS, None), rng.randint(1, 3)):
            question, answer = _asked(rng, asked, concept)
            mark = "" if turns else "<image>\n"
            turns.append({"from": "human", "value": f"{mark}{question}"})
            turns.append({"from": "gpt", "value": answer})
        image = f"images/{_view(rng, world, concept)}"
        yield {"id": f"{number:06d}", "image": image, "conversations": turns}


def _asked(rng: random.Random, relation: Relation | None, concept: Concept) -> tuple[str, str]:
    """A question and its answer; None asks for a caption."""
    if relation is None:
        return rng.choice(CAPTION_REQUESTS), fill(rng.choice(CAPTION_STYLES), concept)
    return rng.choice(QUESTIONS[relation]), concept.attribute(relation)
