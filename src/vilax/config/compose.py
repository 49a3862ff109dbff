"""Composition: Hydra joins the YAML of the chosen groups, the schema says whether it is a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import conf_dir, experiments_dir
from vilax.config.rules import check_rules
from vilax.config.schema.comparison import Arm, Comparison
from vilax.config.schema.run import Run
from vilax.config.searchpath import search_first
from vilax.config.validate import validate
from vilax.config.walk import field_of

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
BY_FOLDER = {
    "llm": {"kind": "pretrained"},
    "encoder": {"kind": "transformers"},
}
"""Groups in which a folder of weights may stand for a name."""


@dataclass(frozen=True)
class Override:
    """One ``key=value`` of the command line.

    Attributes:
        key: dotted key.
        value: its value, parsed as Hydra's grammar parses it.
        hydra: the same as an override that Hydra understands.
        is_choice: whether it names a file of a group.
    """

    key: str
    value: Any
    hydra: str
    is_choice: bool


def choices(group: str, config_dir: Path | None = None) -> dict[str, str]:
    """Name of each choice of a group with its one-line description, user's files first."""
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


def group_of(key: str) -> str | None:
    """The group whose files a key takes by name; None for a key that takes a value."""
    if key in TOP_GROUPS:
        return key
    parts = key.split(".")
    if len(parts) == 3 and parts[0] == "stages" and parts[2] in STAGE_GROUPS:
        return parts[2]
    return None


def parse_override(text: str, config_dir: Path | None = None) -> Override:
    """Read one ``key=value``.

    Raises:
        ConfigError: it has another form, or names no file of its group.
    """
    key, equals, raw = text.partition("=")
    if not equals or not key or key[0] in "+~@-" or "@" in key:
        raise ConfigError(
            f"cannot read {text!r}: expected key=value, for example projector=transformer,"
            " stages.pretrain.freeze=projector_only or stages.sft.rates.llm=1e-4"
        )
    group = group_of(key)
    is_corpus = key.startswith("corpora.") and key.count(".") == 1
    if raw.startswith(("{", "[")) or (group is None and not is_corpus):
        return Override(key, parse_value(text, raw), f"++{text}", False)
    if is_corpus:
        return Override(key, {"path": raw}, f"++{key}={{path: '{raw}'}}", False)
    assert group is not None
    if raw in choices(group, config_dir):
        target = group if group == key else f"{group}@{key}"
        return Override(key, raw, f"{target}={raw}", True)
    path = Path(raw).expanduser()
    if raw.endswith((".yaml", ".yml")) and path.is_file():
        content = load_yaml(path)
        return Override(key, content, f"++{key}={_inline(content)}", False)
    if group in BY_FOLDER and path.is_dir():
        content = BY_FOLDER[group] | {"source": str(path)}
        return Override(key, content, f"++{key}={_inline(content)}", False)
    error = unknown(group, raw, choices(group, config_dir))
    raise ConfigError(f"{key}={raw}: {error} (or a path)")


def parse_value(text: str, raw: str) -> Any:
    """A value by Hydra's grammar: numbers, true, null, quoted text, lists, mappings.

    Raises:
        ConfigError: it cannot be parsed.
    """
    try:
        value = OverridesParser.create().parse_override(f"key={raw}").value()
    except HydraException as error:
        raise ConfigError(f"cannot read the value of {text!r}: {error}") from error
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(_plain(k)): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if isinstance(value, int | float | bool | None) else str(_text(value))


def _text(value: Any) -> Any:
    return getattr(value, "text", value)


def _inline(content: Mapping[str, Any]) -> str:
    """A mapping in the flow style of Hydra's grammar."""
    parts = []
    for key, value in content.items():
        if isinstance(value, Mapping):
            shown = _inline(value)
        elif isinstance(value, str):
            shown = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        elif isinstance(value, list):
            shown = "[" + ", ".join(str(v) for v in value) + "]"
        else:
            shown = "null" if value is None else str(value).lower()
        parts.append(f"{key}: {shown}")
    return "{" + ", ".join(parts) + "}"


def load_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        ConfigError: the file is missing, malformed or no mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds {type(content).__name__}, expected a mapping")
    return content


def compose_groups(hydra_overrides: Sequence[str], config_dir: Path | None) -> dict[str, Any]:
    """What Hydra composes from the chosen groups.

    Raises:
        ConfigError: Hydra cannot compose it.
    """
    if config_dir is not None and not config_dir.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    search_first(config_dir)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            composed: DictConfig = compose("config", list(hydra_overrides))
        plain = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ConfigError(f"cannot compose: {'; '.join(lines[:2])}") from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def compose_run(overrides: Sequence[str], config_dir: Path | None = None) -> Run:
    """The validated configuration of a run.

    Args:
        overrides: ``key=value`` texts; later ones win.
        config_dir: the user's folder of the same shape as ``conf/``, which wins over it.

    Raises:
        ConfigError: naming the key, the value, what was expected and the nearest valid name.
    """
    parsed = [parse_override(text, config_dir) for text in overrides]
    groups = {o.key: o for o in parsed if o.is_choice}
    check_stages(groups, config_dir)
    composed = compose_groups([o.hydra for o in groups.values()], config_dir)
    for override in parsed:
        if override.is_choice:
            continue
        field_of(Run, override.key, composed)
        assign(composed, override.key, override.value)
    run = validate(Run, composed)
    check_rules(run)
    return run


def check_stages(groups: Mapping[str, Override], config_dir: Path | None) -> None:
    """Refuse a group choice for a stage that the recipe does not have.

    Raises:
        ConfigError: naming the nearest stage.
    """
    staged = [key for key in groups if key.startswith("stages.")]
    if not staged:
        return
    whole = [o.hydra for key, o in groups.items() if key in ("recipe", "scale")]
    stages = compose_groups(whole, config_dir).get("stages", {})
    for key in staged:
        field_of(Run, key, {"stages": stages})


def assign(composed: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key, making mappings on the way."""
    *parents, last = key.split(".")
    place = composed
    for name in parents:
        inner = place.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"key {key}: {name} is a plain value and has no {last!r}")
        place = inner
    place[last] = value


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


def comparison_names(config_dir: Path | None = None) -> dict[str, str]:
    """Names of all comparisons with their titles."""
    roots = [experiments_dir(), *([config_dir / "experiments"] if config_dir else [])]
    return {
        file.parent.name: str(load_yaml(file).get("title", ""))
        for root in roots
        for file in sorted(root.glob("*/comparison.yaml"))
    }
