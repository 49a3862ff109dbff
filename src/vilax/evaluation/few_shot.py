"""k-shot prompts: which shots, and how shots and query become one document."""

import hashlib
from collections.abc import Sequence

from vilax.config.errors import ConfigError
from vilax.data.document import Document, Image, Segment, Text
from vilax.evaluation.items import Item, Split


def choose_shots(item: Item, pool: dict[str, Item], seed: int, k: int) -> list[Item]:
    """The k shots of an item: a function of seed and item alone, the fewer a prefix of the more.

    Independent of batch, rank, order and arm, so that arms are compared on the same prompts.

    Raises:
        ConfigError: the item has fewer than k possible shots.
    """
    names = [
        name for name in item.shots or () if name in pool and pool[name].subject != item.subject
    ]
    if item.shot_order == "prefix":
        names = [name for name in item.shots or () if name in pool]
    else:
        names.sort(key=lambda name: hashlib.sha256(f"{seed}/{item.id}/{name}".encode()).digest())
    if len(names) < k:
        raise ConfigError(
            f"item {item.id} has {len(names)} possible shots, {k} are asked for:"
            " expected fewer in evaluation.tasks.*.shots"
        )
    return [pool[name] for name in names[:k]]


def prompt_document(
    item: Item, shots: Sequence[Item], split: Split, modality: str = "image"
) -> Document:
    """Shots, then the query, interleaved: each picture directly before its own text.

    With a question, each is a user's turn and an assistant's; else each example is subject,
    between, answer, after. In the ``text`` modality the subject's word stands for its picture.
    """
    segments: list[Segment] = []
    for shot in shots:
        segments += _subject(shot, split, modality)
        answer = shot.answers[0]
        if shot.question is not None:
            segments.append(Text(shot.question, loss=False, role="user"))
            segments.append(Text(answer, loss=False, role="assistant"))
        else:
            segments.append(Text(f"{shot.between} {answer} {shot.after}", loss=False))
    segments += _subject(item, split, modality)
    if item.question is not None:
        segments.append(Text(item.question, loss=False, role="user"))
    else:
        segments.append(Text(str(item.between), loss=False))
    return Document(item.id, "evaluation", tuple(segments))


def _subject(item: Item, split: Split, modality: str) -> list[Segment]:
    if modality == "text":
        return [Text(item.subject, loss=False)]
    return [Image(split.picture(item))]


def prompt_text(document: Document) -> str:
    """A prompt for people: ``<image>`` where a picture stands."""
    words = [s.text if isinstance(s, Text) else "<image>" for s in document.segments]
    return " ".join(words)
