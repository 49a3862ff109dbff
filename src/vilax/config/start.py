"""A model that a run starts from: its configuration, with paths inside its folder made whole."""

import json
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError

MODEL = ("encoder", "projector", "llm")


def config_in(folder: Path) -> dict[str, Any]:
    """The configuration that a result or model folder was made with.

    Raises:
        ConfigError: there is no such folder, or it has none.
    """
    try:
        found = json.loads((folder / "run.json").read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder} is no model: expected a folder with run.json, as vilax import, vilax export"
            f" and the store write them ({error})"
        ) from error
    config: dict[str, Any] = found
    for part in MODEL:
        node = config.get(part)
        if isinstance(node, dict):
            for one in (node, *node.get("members", ())):
                _make_whole(one, folder.absolute())
    return config


def _make_whole(node: dict[str, Any], folder: Path) -> None:
    for key in ("source", "weights"):
        if str(node.get(key, "")).startswith("./"):
            node[key] = str(folder / node[key])


def start_from(composed: dict[str, Any], given: set[str]) -> None:
    """Take encoder, projector and LLM of the folder that ``start`` names.

    Args:
        composed: changed in place.
        given: keys that the user set.

    Raises:
        ConfigError: the user also chose one of them, or there is no such model.
    """
    if not composed.get("start"):
        return
    for part in MODEL:
        if part in given:
            raise ConfigError(
                f"{part}=... with start={composed['start']}: the model brings its own {part};"
                " expected one of the two"
            )
    config = config_in(Path(str(composed["start"])).expanduser())
    for part in MODEL:
        composed[part] = config[part]
