"""Conversations on which an exported chat template is compared with vilax's own prompt code."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vilax.config.errors import ConfigError
from vilax.data.document import Document, Image, Text
from vilax.data.prompt import PromptEncoder
from vilax.interop.model import Exported

PICTURE = {"type": "image"}

ASKED = {
    "role": "user",
    "content": [PICTURE, {"type": "text", "text": "What is in the picture?"}],
}
ANSWERED = {"role": "assistant", "content": "A red square, and a blue circle."}
AGAIN = {"role": "user", "content": "Is the circle to the left of it?"}
LOOK = {"role": "user", "content": [PICTURE, {"type": "text", "text": "And in this one?"}]}
LAST = {"role": "assistant", "content": [{"type": "text", "text": "No: above it."}]}


@dataclass(frozen=True)
class Conversation:
    """A talk of two turns with a picture.

    Attributes:
        name: for messages.
        turns: what ``apply_chat_template`` takes.
        opened: it ends with a question, and the prompt with the opening of an answer.
    """

    name: str
    turns: tuple[dict[str, Any], ...]
    opened: bool

    def document(self, picture: bytes) -> Document:
        """The same as a document."""
        segments: list[Text | Image] = []
        for turn in self.turns:
            content = turn["content"]
            answered = turn["role"] == "assistant"
            for part in [content] if isinstance(content, str) else content:
                if part == PICTURE:
                    segments.append(Image(picture))
                else:
                    text = part if isinstance(part, str) else part["text"]
                    segments.append(Text(text, answered, turn["role"]))
        return Document(self.name, "proof", tuple(segments))


CONVERSATIONS = (
    Conversation("two answered questions", (ASKED, ANSWERED, AGAIN, LAST), opened=False),
    Conversation("a second question", (ASKED, ANSWERED, AGAIN), opened=True),
    Conversation("a picture in the second turn", (AGAIN, LAST, LOOK), opened=True),
)


def write_conversations(path: Path, picture: Path) -> None:
    """Write them for a process that knows nothing of vilax, the picture by its path."""
    found = []
    for one in CONVERSATIONS:
        text = json.dumps(one.turns)
        turns = json.loads(text.replace(json.dumps(PICTURE), json.dumps(PICTURE | _at(picture))))
        found.append({"turns": turns, "opened": one.opened})
    path.write_text(json.dumps(found), encoding="utf-8")


def _at(picture: Path) -> dict[str, str]:
    return {"path": str(picture)}


def compare_conversations(exported: Exported, picture: bytes, theirs: dict[str, Tensor]) -> int:
    """See that each conversation has the same token ids, visual tokens included.

    Args:
        exported: the model.
        picture: the picture's file.
        theirs: ids by ``conversation.N``, ``IMAGE_TOKEN`` where a visual token stands.

    Returns:
        Tokens compared.

    Raises:
        ConfigError: ids differ, naming the first that does.
    """
    encoder = PromptEncoder(exported.tokenizer, exported.model.tokens_per_view)
    count = 0
    for number, one in enumerate(CONVERSATIONS):
        encode = encoder.prompt if one.opened else encoder.document
        ours = torch.from_numpy(encode(one.document(picture), exported.template).tokens)
        found = theirs[f"conversation.{number}"]
        place = _first_difference(ours, found)
        if place is not None:
            said = [_named(exported, ids, place) for ids in (found, ours)]
            raise ConfigError(
                f"template={exported.template}: the exported chat template differs from vilax's"
                f" prompts at token {place} of {one.name!r}: it has {said[0]}, vilax {said[1]};"
                " nothing is written"
            )
        count += len(ours)
    return count


def _first_difference(ours: Tensor, theirs: Tensor) -> int | None:
    shared = min(len(ours), len(theirs))
    apart = (ours[:shared] != theirs[:shared]).nonzero()
    if len(apart):
        return int(apart[0])
    return None if len(ours) == len(theirs) else shared


def _named(exported: Exported, ids: Tensor, place: int) -> str:
    if place >= len(ids):
        return "its end"
    number = int(ids[place])
    if number < 0:
        return "a visual token"
    return f"{exported.tokenizer.convert_ids_to_tokens(number)!r} ({number})"
