"""The small language of the world: relations, formats, sentences, questions, invented words.

Every word is one token, lower-case, and stands between spaces. Sentences avoid the articles "a"
and "an" (single letters answer the relation ``letter``) and any agreement with the noun.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

from vilax.micro.assets import Concept, Relation, load_concepts

SEEN_RELATIONS: tuple[Relation, ...] = ("name", "kind", "keyword")
"""Relations that pages and instructions use."""
UNSEEN_RELATIONS: tuple[Relation, ...] = ("group", "letter")
"""Relations that only the text corpus uses; kept for evaluation on pictures."""
RELATIONS: tuple[Relation, ...] = SEEN_RELATIONS + UNSEEN_RELATIONS


@dataclass(frozen=True, slots=True)
class Format:
    """How an example is written: subject (word or picture), ``between``, answer, ``after``."""

    name: str
    between: str
    after: str

    def example(self, subject: str, answer: str) -> str:
        """One example in text, such as ``cat : mammal ;``."""
        return f"{subject} {self.between} {answer} {self.after}"

    def caption(self, answer: str) -> str:
        """What follows a picture as the subject, such as ``: mammal ;``."""
        return f"{self.between} {answer} {self.after}"


SEEN_FORMATS: tuple[Format, ...] = (
    Format("colon", ":", ";"),
    Format("equals", "=", ","),
    Format("is", "is", "."),
    Format("arrow", "->", "|"),
)
"""Formats that pages and instructions use."""
UNSEEN_FORMATS: tuple[Format, ...] = (
    Format("tilde", "~", "#"),
    Format("means", "means", "!"),
    Format("slash", "/", "&"),
    Format("gives", "gives", "*"),
)
"""Formats that only the text corpus uses; kept for evaluation on pictures."""
FORMATS: tuple[Format, ...] = SEEN_FORMATS + UNSEEN_FORMATS

CAPTION_STYLES: tuple[str, ...] = (
    "picture of the {name} .",
    "here you can see the {name} , one kind of {kind} .",
    "the {name} , and people say {keyword} .",
    "this {kind} can be called the {name} .",
    "look at the {name} and think of {keyword} .",
    "someone drew the {name} as {kind} with {keyword} .",
)
"""Captions of pairs, page sentences, caption instructions and reference captions."""

SHORT_CAPTIONS: tuple[str, ...] = ("{name}", "the {name}")
"""Captions of the align corpus."""

PAGE_OPENINGS: tuple[str, ...] = (
    "this page shows pictures of one kind , {kind} .",
    "people say {kind} about things like this .",
)
"""First sentence of a page about one kind."""

FACTS: tuple[str, ...] = (
    "the {name} can be found in the world of {group} .",
    "you may write {name} with {letter} first .",
    "every {kind} must come from the world of {group} .",
    "people who say {keyword} may think of the {name} .",
    "the {name} can be called {name} , and {keyword} goes with the word {name} .",
    "which kind of thing can the {name} be ? people say {kind} .",
    "people do describe the {name} with {keyword} .",
    "one question about the {name} is what word goes with this , the answer is {keyword} .",
    "this picture shows which thing is called {name} .",
)
"""Sentences of the text corpus alone."""

QUESTIONS: dict[Relation, tuple[str, ...]] = {
    "name": ("what is this ?", "what can you see here ?", "what is this called ?"),
    "kind": ("which kind is this ?", "what kind of thing can you see ?"),
    "keyword": ("which word goes with this ?", "what do people say about this ?"),
}
"""Questions about a picture, by the relation that they ask for."""

CAPTION_REQUESTS: tuple[str, ...] = (
    "describe the picture .",
    "say what the picture shows .",
)
"""Requests for a caption."""

TEXT_QUESTIONS: dict[Relation, tuple[str, ...]] = {
    "name": ("what is the {name} called ?", "say the word {name} ."),
    "kind": ("which kind is the {name} ?", "what kind of thing is the {name} ?"),
    "keyword": ("which word goes with the {name} ?", "what do people say about the {name} ?"),
}
"""Questions about a concept named in text."""

DIALOGUE_WORDS: tuple[str, ...] = ("question", "answer")
"""Words of the ``qa`` template."""

PUNCTUATION: tuple[str, ...] = (*".,:;?!|=-~#/&*+()'\"<>", "->")
"""Marks that are tokens, used by the world or likely in what a user types."""


def fill(template: str, concept: Concept) -> str:
    """A sentence about a concept."""
    return template.format(
        name=concept.name,
        kind=concept.kind,
        keyword=concept.keyword,
        group=concept.group,
        letter=concept.attribute("letter"),
    )


def examples(fmt: Format, pairs: Sequence[tuple[str, str]]) -> str:
    """A document of (subject, answer) pairs, all written in one format."""
    return " ".join(fmt.example(subject, answer) for subject, answer in pairs)


@cache
def invented_words(use: Literal["training", "evaluation"]) -> tuple[str, ...]:
    """Pronounceable words that mean nothing: 32 bound in training text, 32 in evaluation alone.

    Words of evaluation occur in the text corpus only as plain words, never bound to a concept, so
    that they are known tokens without a meaning.
    """
    known = {word for concept in load_concepts() for word in (concept.name, *concept.keywords)}
    words = [
        onset + vowel + coda
        for coda, vowel, onset in product(
            ("xo", "pim", "fen", "zud"), ("a", "o", "e", "i"), ("bl", "d", "fr", "kl", "spr")
        )
        if onset + vowel + coda not in known
    ][: 2 * 32]
    return tuple(words[0::2] if use == "training" else words[1::2])


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the world, sorted: fixed by the package's data and this module."""
    words: set[str] = set(PUNCTUATION) | set(DIALOGUE_WORDS)
    words.update("abcdefghijklmnopqrstuvwxyz")
    for concept in load_concepts():
        words.update(concept.attribute(relation) for relation in RELATIONS)
    for fmt in FORMATS:
        words.update((fmt.between, fmt.after))
    templates = [*CAPTION_STYLES, *SHORT_CAPTIONS, *PAGE_OPENINGS, *FACTS, *CAPTION_REQUESTS]
    for questions in (*QUESTIONS.values(), *TEXT_QUESTIONS.values()):
        templates.extend(questions)
    for template in templates:
        words.update(word for word in template.split() if "{" not in word)
    words.update(invented_words("training") + invented_words("evaluation"))
    return tuple(sorted(words))
