"""Schema of data: corpora on disk, the micro world, and blends of corpora."""

from typing import Literal

from pydantic import Field, model_validator

from vilax.config.schema.base import Node, execution
from vilax.config.schema.selection import Derivation, Selection

Template = Literal[
    "raw", "plain", "qa", "vicuna_v1", "vicuna_v1_nosys", "llama_3", "hermes-2", "tokenizer"
]
"""How turns become text: as they are, a named template, or the chat template of the LLM's own
tokenizer."""


class Corpus(Node):
    """A named set of documents in one on-disk format."""

    path: str = Field(min_length=1)
    """File or folder; ``micro:NAME`` is a corpus of the micro world, built when first used."""
    format: str = Field("auto", min_length=1)
    """On-disk layout: a name of ``conf/format`` or a YAML file; auto tells it from the content."""
    images: str | None = None
    """Folder or tar in which pictures and videos lie; null: beside the annotation file."""
    held_out: str | None = execution(None)
    """Documents in the same format that nothing is trained on, for measures; null: the micro
    world's own where ``path`` is of it, else none."""
    template: Template = "raw"
    """How turns become text: raw documents as they are, a conversation template, or the LLM's own
    (tokenizer)."""
    select: Selection = Selection()
    """Which of its documents are used."""
    derive: Derivation = Derivation()
    """What is made of its pages."""


class Blend(Node):
    """Corpora, and how much of each."""

    corpora: dict[str, float] = Field(default_factory=dict)
    """Name of a corpus (or a path) to its value, above 0; ``values`` says of what."""
    values: Literal["weights", "epochs", "counts"] = "weights"
    """weights: chances; epochs: times that one pass over the blend shows the corpus; counts: its
    documents in one pass."""
    per: Literal["documents", "images", "tokens"] = "documents"
    """What weights are shares of; a corpus's mean per document is taken from a sample of it."""
    shuffle_buffer: int = Field(1000, ge=1)
    """Documents among which the next is drawn."""
    packing_buffer: int = Field(256, ge=1)
    """Documents among which best-fit packing chooses."""
    streams: int = Field(2, ge=1, le=4096)
    """Logical data streams per job: ranks share them, so order is the same at any world size."""
    bad_share: float = execution(0.01, ge=0, le=1)
    """Share of broken documents of a corpus above which the run stops."""

    @model_validator(mode="after")
    def _shares_are_of_weights(self) -> "Blend":
        if self.per != "documents" and self.values != "weights":
            raise ValueError(f"per={self.per} goes with values=weights, not values={self.values}")
        return self


class MicroWorld(Node):
    """The CPU-scale world: real pictures of concepts, and text about them."""

    concepts: int = Field(280, ge=16, le=1400)
    """Concepts with one-word names, taken in a fixed order of kinds."""
    views: int = Field(8, ge=1, le=64)
    """Augmented views of each training drawing."""
    image_size: int = Field(128, ge=32, le=512)
    """Side of the stored pictures, in pixels."""
    pages: int = Field(12000, ge=8)
    """Interleaved pages."""
    pairs: int = Field(12000, ge=8)
    """Image-text pairs."""
    instructions: int = Field(6000, ge=8)
    """Single-picture instructions."""
    text_instructions: int = Field(6000, ge=8)
    """Text-only instructions."""
    texts: int = Field(60000, ge=8)
    """Documents of the text corpus."""
    gallery_share: float = Field(0.5, ge=0, le=1)
    """Share of pages that are galleries: pictures each with its caption in one format."""
    seed: int = Field(0, ge=0)
    """Seed of everything that is drawn at random while the world is written."""
    workers: int = execution(2, ge=1)
    """Processes that draw the pictures."""
