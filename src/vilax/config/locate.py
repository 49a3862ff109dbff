"""Where things lie: shipped YAML, and everything that runs write."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def outputs_dir() -> Path:
    """All that runs write: ``VILAX_OUTPUTS``, or ``outputs`` in the working folder."""
    return Path(os.environ.get("VILAX_OUTPUTS", "outputs")).expanduser().absolute()


def store_dir() -> Path:
    """The stage store."""
    return outputs_dir() / "store"


def cache_dir() -> Path:
    """What can be computed again: the micro world, encoder features."""
    return outputs_dir() / "cache"


def conf_dir() -> Path:
    """Shipped configuration: inside an installed package, else the project's folder."""
    return _shipped("_conf", "conf")


def experiments_dir() -> Path:
    """Shipped comparisons: inside an installed package, else the project's folder."""
    return _shipped("_experiments", "experiments")


def _shipped(packaged: str, project: str) -> Path:
    inside = PACKAGE / packaged
    return inside if inside.exists() else PACKAGE.parents[1] / project
