"""Composition: Hydra joins the YAML of the chosen groups, the schema says whether it is a run."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from pydantic.fields import FieldInfo

from vilax.config.describe import STAGE_GROUPS, TOP_GROUPS, choices, load_yaml
from vilax.config.errors import ConfigError, unknown
from vilax.config.groups import compose_groups
from vilax.config.rules import check_rules
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Budget
from vilax.config.start import start_from
from vilax.config.validate import validate
from vilax.config.walk import expectation, field_of

GLOBAL_GROUPS = ("recipe", "scale")
"""Groups whose files spread over the whole configuration, and may choose from other groups."""
FIGURES = "recipe/figures"
"""Where a recipe's file of the same name lies over the scale, with choices of its own."""
PICKED = "_picked_"
"""Where a choice is composed alone."""
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
        value: its value, parsed as Hydra's grammar parses it; a file's name where it is a choice.
        is_choice: whether the value names a file of the key's group.
    """

    key: str
    value: Any
    is_choice: bool = False

    @property
    def hydra(self) -> str:
        """A choice in Hydra's words."""
        return f"{self.slot}={self.value}"

    @property
    def slot(self) -> str:
        """Where Hydra's list of defaults has the choice."""
        group = group_of(self.key)
        return self.key if group == self.key else f"{group}@{self.key}"


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
    is_dotted = all(name and name == name.strip() for name in key.split("."))
    if not equals or not is_dotted or key[0] in "+~@-" or "@" in key:
        raise ConfigError(
            f"cannot read {text!r}: expected key=value, for example projector=transformer,"
            " stages.pretrain.freeze=projector_only or stages.sft.rates.llm=1e-4"
        )
    group = group_of(key)
    is_corpus = key.startswith("corpora.") and key.count(".") == 1
    if raw.startswith(("{", "[")) or (group is None and not is_corpus):
        return Override(key, parse_value(text, raw))
    if group is None:
        return Override(f"{key}.path", raw)
    if raw in choices(group, config_dir):
        return Override(key, raw, is_choice=True)
    path = Path(raw).expanduser()
    if path.suffix in (".yaml", ".yml") and path.is_file():
        content = load_yaml(path)
        if group in GLOBAL_GROUPS:
            return Override(key, _offer(group, path, content), is_choice=True)
        return Override(key, content)
    if group in BY_FOLDER and path.is_dir():
        return Override(key, BY_FOLDER[group] | {"source": str(path)})
    if "," in raw:
        raise _several(text)
    error = unknown(group, raw, choices(group, config_dir))
    raise ConfigError(f"{key}={raw}: {error} (or a path that exists)")


def _offer(group: str, path: Path, content: dict[str, Any]) -> str:
    """Make a file one of Hydra's choices, for it may choose from groups itself; its name there."""
    digest = hashlib.sha256(str(path.absolute()).encode()).hexdigest()
    name = f"{path.stem}-{digest[:8]}"
    ConfigStore.instance().store(name, content, group=group, package="_global_", provider="user")
    return name


def parse_value(text: str, raw: str) -> Any:
    """A value by Hydra's grammar: numbers, true, null, quoted text, lists, mappings.

    Raises:
        ConfigError: it cannot be parsed, or is several values.
    """
    try:
        parsed = OverridesParser.create().parse_override(f"key={raw}")
        if parsed.is_sweep_override():
            raise _several(text)
        value = parsed.value()
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"cannot read the value of {text!r}: {reason}") from error
    return _plain(value)


def _several(text: str) -> ConfigError:
    return ConfigError(
        f"{text}: expected one value; with -m each of several values is run, and in quotes a comma"
        " is part of a text"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(_plain(k)): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if isinstance(value, int | float | bool | None) else str(_text(value))


def _text(value: Any) -> Any:
    return getattr(value, "text", value)


def compose_run(
    overrides: Sequence[str],
    config_dir: Path | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
) -> Run:
    """The validated configuration of a run.

    What stands for a whole node (a choice, a file, a folder) comes first and values inside it go
    on top, in whatever order they are given; of several for one key the last wins.

    Args:
        overrides: ``key=value`` texts.
        config_dir: the user's folder of the same shape as ``conf/``, which wins over it.
        tasks: what to evaluate instead of the chosen evaluation's tasks.

    Raises:
        ConfigError: naming the key, the value, what was expected and the nearest valid name.
    """
    parsed = [parse_override(text, config_dir) for text in overrides]
    whole = {o.key: o for o in parsed if group_of(o.key) is not None}
    composed = compose_choices([o for o in whole.values() if o.is_choice], config_dir)
    if tasks is not None:
        assign(composed, "evaluation.tasks", {name: dict(task) for name, task in tasks.items()})
    contents = [o for o in whole.values() if not o.is_choice]
    for override in (*contents, *(o for o in parsed if o.key not in whole)):
        field = field_of(Run, override.key, composed)
        check_truth(override, field)
        _forget_other_budgets(composed, override.key)
        assign(composed, override.key, override.value)
    start_from(composed, {o.key for o in parsed})
    run = validate(Run, composed)
    check_rules(run)
    return run


def compose_task(name: str, config_dir: Path | None = None) -> tuple[str, dict[str, Any]]:
    """A task of ``conf/task`` by name, or of a file; its name and its settings.

    Raises:
        ConfigError: there is no such task.
    """
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path.stem, load_yaml(path)
    if name not in choices("task", config_dir):
        error = unknown("task", name, choices("task", config_dir))
        raise ConfigError(f"task={name}: {error} (or a YAML file that exists)")
    alone, _ = compose_groups([f"+task@{PICKED}={name}"], config_dir)
    return name, alone[PICKED]


def compose_choices(chosen: Sequence[Override], config_dir: Path | None) -> dict[str, Any]:
    """What the choices make together, in a recipe that may have been written elsewhere.

    Raises:
        ConfigError: Hydra cannot compose it, or the recipe has no such stage.
    """
    frame = [o.hydra for o in chosen if o.key in GLOBAL_GROUPS]
    frame += [
        f"+{FIGURES}={o.value}"
        for o in chosen
        if o.key == "recipe" and o.value in choices(FIGURES, config_dir)
    ]
    rest = [o for o in chosen if o.key not in GLOBAL_GROUPS]
    composed, slots = compose_groups(frame, config_dir)
    if not rest:
        return composed
    for override in rest:
        field_of(Run, override.key, composed)
    fitting = [o.hydra for o in rest if o.slot in slots]
    composed, _ = compose_groups([*frame, *fitting], config_dir)
    for override in rest:
        # Hydra replaces a choice, not what a recipe spells out in its place.
        if override.slot not in slots:
            word = f"+{group_of(override.key)}@{PICKED}={override.value}"
            alone, _ = compose_groups([word], config_dir)
            assign(composed, override.key, alone[PICKED])
    return composed


def check_truth(override: Override, field: FieldInfo | None) -> None:
    """Refuse true and false for a number: pydantic would read them as 1 and 0.

    Raises:
        ConfigError: naming key, value and what was expected.
    """
    if isinstance(override.value, bool) and field is not None:
        expected = expectation(field, field.annotation)
        if "true or false" not in expected:
            shown = str(override.value).lower()
            raise ConfigError(f"{override.key}={shown}: expected {expected}")


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


def _forget_other_budgets(composed: dict[str, Any], key: str) -> None:
    """A budget is counted in one thing: naming one takes the place of what the scale gives."""
    *parents, last = key.split(".")
    if len(parents) == 3 and parents[2] == "budget" and last in Budget.model_fields:
        assign(composed, ".".join(parents), {})
