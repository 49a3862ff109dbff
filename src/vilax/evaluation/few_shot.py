"""k-shot prompts: which shots, and how shots and query become one document."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from transformers import PreTrainedTokenizerBase

from vilax.config.errors import ConfigError
from vilax.data.document import Document, Image, Segment, Text
from vilax.data.encoded import IMAGE_TOKEN, Encoded, first_tokens
from vilax.evaluation.items import Item


def choose_shots(item: Item, pool: Mapping[str, Item], seed: int, k: int) -> list[Item]:
    """The k shots of an item: a function of seed and item alone, the fewer a prefix of the more.

    Independent of batch, rank, order and arm, so that arms are compared on the same prompts. No
    shot shows the item's own picture; drawn shots do not show its subject either (where shots
    define the answer, as new words do, they come in a given order and must show it).

    Raises:
        ConfigError: the item has fewer than k possible shots.
    """
    possible = [pool[name] for name in item.shots or ()]
    if item.shot_order == "prefix":
        possible = [s for s in possible if s.image is None or s.image != item.image]
    else:
        possible = [shot for shot in possible if shot.subject != item.subject]
        possible.sort(key=lambda s: hashlib.sha256(f"{seed}/{item.id}/{s.id}".encode()).digest())
    if not 0 <= k <= len(possible):
        raise ConfigError(
            f"item {item.id} has {len(possible)} possible shots, {k} are asked for:"
            f" expected 0 to {len(possible)} in evaluation.tasks.*.shots"
        )
    return possible[:k]


def prompt_document(
    item: Item, shots: Sequence[Item], modality: Literal["image", "text"] = "image"
) -> Document:
    """Shots, then the query, interleaved: each picture directly before its own text.

    With a question, each is a user's turn and an assistant's; else each example is subject,
    between, answer, after. In the ``text`` modality the subject's word stands for its picture, and
    the whole is one piece of text, as in a text corpus. An image holds the path of its picture.
    """
    if modality == "text":
        words = [f"{shot.subject} {_example(shot)}" for shot in shots]
        text = " ".join([*words, f"{item.subject} {item.between}"])
        return Document(item.id, "evaluation", (Text(text, loss=False),))
    segments: list[Segment] = []
    for shot in shots:
        segments.append(_picture(shot))
        if shot.question is None:
            segments.append(Text(_example(shot), loss=False))
        else:
            segments.append(Text(shot.question, loss=False, role="user"))
            segments.append(Text(shot.answers[0], loss=False, role="assistant"))
    segments.append(_picture(item))
    if item.question is None:
        segments.append(Text(str(item.between), loss=False))
    else:
        segments.append(Text(item.question, loss=False, role="user"))
    return Document(item.id, "evaluation", tuple(segments))


def _picture(item: Item) -> Image:
    if item.image is None:
        raise ConfigError(f"evaluation.data: item {item.id!r} has no image")
    return Image(item.image.encode())


def _example(shot: Item) -> str:
    return f"{shot.between} {shot.answers[0]} {shot.after}".rstrip()


def prompt_text(prompt: Encoded, tokenizer: PreTrainedTokenizerBase) -> str:
    """A prompt as the model reads it, decoded, with ``<image>`` where a picture stands."""
    parts: list[str] = []
    words: list[int] = []
    begins = set(first_tokens(prompt.tokens, prompt.spans).tolist())
    for place, token in enumerate(prompt.tokens.tolist()):
        if token != IMAGE_TOKEN:
            words.append(token)
            continue
        if words:
            parts.append(str(tokenizer.decode(words)))
            words = []
        if place in begins:
            parts.append("<image>")
    if words:
        parts.append(str(tokenizer.decode(words)))
    return " ".join(parts)
