"""Schema of a gallery: prompts that show a model's qualities, beyond scores."""

from typing import Literal

from pydantic import Field, model_validator

from vilax.config.schema.base import Node
from vilax.config.schema.data import Template


class Part(Node):
    """A piece of a prompt: a text or a picture."""

    text: str | None = None
    """Words."""
    picture: str | None = None
    """File, relative to the gallery's own, or micro:NAME, a packaged drawing."""
    answer: bool = False
    """The text is an answer that the prompt gives as an example."""

    @model_validator(mode="after")
    def _is_one(self) -> "Part":
        if (self.text is None) == (self.picture is None):
            raise ValueError("expected either text or picture")
        return self


class Scene(Node):
    """One prompt."""

    title: str
    """Heading."""
    quality: Literal["multi_image", "few_shot", "chain_of_thought", "world_knowledge"]
    """What it shows (paper.md 5)."""
    parts: tuple[Part, ...] = Field(min_length=1)
    """The prompt, in reading order."""
    look_for: str = ""
    """What a good answer says, for who reads the page."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest answer, in tokens."""


class Gallery(Node):
    """Prompts that are shown side by side for several models."""

    title: str
    """Heading of the page."""
    template: Template = "vicuna_v1"
    """How turns become text."""
    scenes: dict[str, Scene] = Field(min_length=1)
    """Prompts by name."""
