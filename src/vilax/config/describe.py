"""What can be chosen: groups, the files of each, and what a file says of itself."""

from pathlib import Path
from typing import Any

import yaml

from vilax.config.errors import ConfigError
from vilax.config.locate import conf_dir

TOP_GROUPS = (
    "recipe",
    "scale",
    "encoder",
    "projector",
    "llm",
    "trainer",
    "logger",
    "evaluation",
)
STAGE_GROUPS = ("freeze", "blend")


def choices(group: str, config_dir: Path | None = None) -> dict[str, str]:
    """Name of each choice of a group with its one-line description; a user's file wins."""
    found: dict[str, str] = {}
    for root in (conf_dir(), config_dir):
        folder = None if root is None else root / group
        for file in sorted(folder.glob("*.yaml")) if folder is not None else []:
            found[file.stem] = description(file)
    return found


def description(file: Path) -> str:
    """First comment of a YAML file that is not a package directive."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @"):
            return line.lstrip("# ").strip()
    return ""


def load_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        ConfigError: the file is missing, malformed or no mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds {type(content).__name__}, expected a mapping")
    return content
