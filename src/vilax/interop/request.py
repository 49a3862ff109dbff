"""What a user asks an importer for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vilax.interop.progress import Tell, silent


@dataclass(frozen=True)
class Request:
    """A checkpoint to read.

    Attributes:
        path: its folder, or the file of a projector.
        config: content of its ``config.json``; empty where there is none.
        encoder: folder or hub id of the image encoder, instead of what the checkpoint names.
        llm: folder or hub id of the LLM.
        tell: is told how reading gets on.
    """

    path: Path
    config: Mapping[str, Any]
    encoder: str | None = None
    llm: str | None = None
    tell: Tell = silent
