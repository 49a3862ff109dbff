"""Schema of which documents of a corpus are used, and of what is made of a page."""

from typing import Literal

from pydantic import Field

from vilax.config.schema.base import Node


class Selection(Node):
    """Which documents of a corpus are used; all keys given hold together."""

    ids: str | None = None
    """File with a key a line: only these."""
    exclude: str | None = None
    """File with a key a line: not these (``vilax data overlap --exclude-to`` writes one)."""
    count: int | None = Field(None, ge=1)
    """So many, drawn at random by ``seed``."""
    images: int | None = Field(None, ge=1)
    """Drawn at random by ``seed`` until together they hold so many pictures."""
    seed: int = Field(0, ge=0)
    """Seed of the draw."""


class Derivation(Node):
    """What is made of pages, of pictures between texts; conversations pass as they are."""

    images: int | None = Field(None, ge=1)
    """At most so many pictures, the first ones; null: as many as the format gives."""
    pairs: bool = False
    """Each picture with the text behind it as a document of its own (paper: MMC4-pairs)."""
    order: Literal["interleaved", "images_first"] = "interleaved"
    """images_first: all pictures before all text."""
    loss: Literal["all", "following"] = "all"
    """following: only the sentence right behind a picture carries loss."""
