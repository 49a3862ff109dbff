"""Formats that a YAML describes: found by name or path, told by the fields of records."""

from functools import cache
from pathlib import Path

from vilax.config.describe import load_yaml
from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import conf_dir
from vilax.config.schema.format import Format, FormatFile
from vilax.config.validate import validate


@cache
def shipped() -> dict[str, Format]:
    """The formats of ``conf/format`` by name."""
    folder = conf_dir() / "format"
    return {path.stem: read_format(path) for path in sorted(folder.glob("*.yaml"))}


def read_format(path: Path) -> Format:
    """A format from its file.

    Raises:
        ConfigError: the file cannot be read, or a key of it is wrong.
    """
    content = load_yaml(path)
    try:
        return validate(FormatFile, {"format": content}).format
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def find_format(name: str, built_in: tuple[str, ...]) -> Format:
    """A format by its name, or by the path of its file.

    Args:
        name: what a user gave.
        built_in: further names, for the message.

    Raises:
        ConfigError: there is no such format.
    """
    if name in shipped():
        return shipped()[name]
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return read_format(path)
    raise unknown("format", name, ["auto", *built_in, *shipped()])


def told_by(fields: set[str]) -> str | None:
    """The shipped format whose required fields are all there, and are most."""
    fitting = [
        (len(format.requires), name)
        for name, format in shipped().items()
        if format.requires and set(format.requires) <= fields
    ]
    return max(fitting)[1] if fitting else None
