"""Comparisons on disk: the packaged ones, and those of a user's own folder."""

from pathlib import Path

from vilax.config.describe import load_yaml
from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import experiments_dir
from vilax.config.schema.comparison import SCALES, Arm, Comparison
from vilax.config.validate import validate


def load_comparison(name: str, config_dir: Path | None = None) -> Comparison:
    """A comparison by name or folder, with its arms.

    Args:
        name: a folder of ``experiments/``, or a path to such a folder.
        config_dir: a user's folder; its ``experiments`` sibling or child is looked into first.

    Raises:
        ConfigError: there is no such comparison, or its files do not fit the schema.
    """
    roots = [experiments_dir()]
    if config_dir is not None:
        roots = [config_dir / "experiments", *roots]
    folders = {
        file.parent.name: file.parent
        for root in reversed(roots)
        for file in sorted(root.glob("*/comparison.yaml"))
    }
    folder = Path(name).expanduser()
    if not (folder / "comparison.yaml").is_file():
        if name not in folders:
            raise unknown("comparison", name, folders)
        folder = folders[name]
    arms = {
        file.stem: validate(Arm, load_yaml(file))
        for file in sorted((folder / "arms").glob("*.yaml"))
    }
    content = load_yaml(folder / "comparison.yaml")
    try:
        return validate(Comparison, content | {"arms": arms})
    except ConfigError as error:
        raise ConfigError(f"{folder / 'comparison.yaml'}: {error}") from error


def comparison_names(config_dir: Path | None = None, scale: str | None = None) -> dict[str, str]:
    """Names of all comparisons with their titles; of those that run at a scale, if one is given."""
    roots = [experiments_dir(), *([config_dir / "experiments"] if config_dir else [])]
    files = {
        file.parent.name: load_yaml(file)
        for root in roots
        for file in sorted(root.glob("*/comparison.yaml"))
    }
    return {
        name: str(content.get("title", ""))
        for name, content in files.items()
        if scale is None or scale in content.get("scales", SCALES)
    }
