"""Architectures by name without a network: configurations of the models that conf/ names."""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from transformers import AutoConfig

FOLDER = "architectures"


def packaged() -> tuple[str, ...]:
    """Hub ids whose architecture comes with this package."""
    files = resources.files(__package__).joinpath(FOLDER).iterdir()
    return tuple(sorted(file.name[:-5].replace("--", "/") for file in files))


@cache
def facts(source: str) -> dict[str, Any]:
    """``config`` and, of image encoders, ``preprocessor`` of a packaged architecture.

    Raises:
        KeyError: there is none of that name.
    """
    if source not in packaged():
        raise KeyError(source)
    name = source.replace("/", "--") + ".json"
    text = resources.files(__package__).joinpath(FOLDER, name).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def config_of(source: str) -> Any:
    """The configuration of a folder or hub id: packaged where there is one, else its own.

    Raises:
        OSError, ValueError: neither is to be had.
    """
    if Path(source).expanduser().is_dir() or source not in packaged():
        return AutoConfig.from_pretrained(source)
    return build_config(facts(source)["config"])


def build_config(config: dict[str, Any]) -> Any:
    """A transformers configuration of packaged facts."""
    sizes = {k: v for k, v in config.items() if k not in ("model_type", "architectures")}
    return AutoConfig.for_model(config["model_type"], **sizes)
