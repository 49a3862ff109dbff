"""Schema of which documents of a corpus are used, and of what is made of a page."""

from typing import Literal

from pydantic import Field, model_validator

from vilax.config.schema.base import Node


class ScoreRule(Node):
    """Which documents their scores let pass; without a score none does."""

    fields: tuple[str, ...] = Field(min_length=1)
    """Fields of a document's record whose sum is its score."""
    file: str | None = None
    """File of ``vilax data score`` that holds the fields, instead of the records."""
    above: float | None = None
    """Only scores above this."""
    share: float | None = Field(None, gt=0, le=1)
    """Of each shard, the best so many of all its documents, rounded down."""
    top: int | None = Field(None, ge=1)
    """Of the whole corpus, the best so many."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> "ScoreRule":
        if self.above is None and self.share is None and self.top is None:
            raise ValueError("give at least one of above, share and top")
        return self


class Selection(Node):
    """Which documents of a corpus are used; all keys given hold together, in the order below."""

    ids: str | None = None
    """File with a key a line: only these."""
    exclude: str | None = None
    """File with a key a line: not these."""
    score: ScoreRule | None = None
    """By a score, as the paper and its code select from COYO."""
    every: int | None = Field(None, ge=1)
    """So many at equal spacing (the rule of VILA's code for FLAN)."""
    count: int | None = Field(None, ge=1)
    """So many, drawn at random by ``seed``."""
    images: int | None = Field(None, ge=1)
    """Drawn at random by ``seed`` until together they hold so many pictures."""
    tokens: int | None = Field(None, ge=1)
    """Drawn at random by ``seed`` until together they have so many tokens, visual ones included."""
    seed: int = Field(0, ge=0)
    """Seed of the draw."""

    @model_validator(mode="after")
    def _one_size(self) -> "Selection":
        given = [n for n in ("every", "count", "images", "tokens") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of every, count, images and tokens, not {given}")
        return self


class Derivation(Node):
    """What is made of pages, of pictures between texts; conversations pass as they are."""

    images: int | None = Field(None, ge=1)
    """At most so many pictures, the first ones; null: as many as the format gives."""
    pairs: bool = False
    """Each picture with the sentence behind it as a document of its own (paper: MMC4-pairs)."""
    order: Literal["interleaved", "images_first"] = "interleaved"
    """images_first: all pictures before all text."""
    loss: Literal["all", "following"] = "all"
    """following: only the sentence right behind a picture carries loss."""
