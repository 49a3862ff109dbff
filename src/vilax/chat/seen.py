"""A prompt as the model sees it, in words."""

from dataclasses import dataclass
from itertools import groupby

from vilax.data.inspect.spelling import Spelling
from vilax.data.prompt import IMAGE_TOKEN, Encoded
from vilax.evaluation.subject import Subject


@dataclass(frozen=True)
class Seen:
    """A prompt in words.

    Attributes:
        text: every token spelled out, special ones by their name, pictures by their number.
        tokens: length of the prompt, visual tokens included.
        visual: visual tokens.
        pictures: pictures.
        context: tokens that the LLM's positions reach; None where it does not say.
    """

    text: str
    tokens: int
    visual: int
    pictures: int
    context: int | None

    @property
    def summary(self) -> str:
        """Its size, in one line."""
        parts = [f"{self.tokens:,} tokens"]
        if self.pictures:
            each = "picture" if self.pictures == 1 else "pictures"
            parts.append(f"{self.visual:,} of them visual ({self.pictures:,} {each})")
        if self.context is not None:
            parts.append(f"the LLM's context has {self.context:,}")
        return ", ".join(parts)


def seen(prompt: Encoded, subject: Subject, spelling: Spelling) -> Seen:
    """What a model sees of a prompt.

    Args:
        prompt: the prompt.
        subject: the model.
        spelling: the text of its tokens.
    """
    parts: list[str] = []
    spans = enumerate(prompt.spans, 1)
    for is_visual, run in groupby(prompt.tokens.tolist(), lambda token: token == IMAGE_TOKEN):
        tokens = list(run)
        if not is_visual:
            parts.append("".join(spelling.texts(tokens)))
            continue
        # Pictures side by side are one run.
        left = len(tokens)
        while left:
            number, span = next(spans)
            parts.append(f"[picture {number}: {span:,} visual tokens]")
            left -= span
    visual = int((prompt.tokens == IMAGE_TOKEN).sum())
    return Seen("".join(parts), len(prompt.tokens), visual, len(prompt.images), subject.context)
