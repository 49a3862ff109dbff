"""A trained result, named by a folder or by its identity, as something to evaluate."""

import json
from pathlib import Path
from typing import Any

from vilax.artifacts.store import ENTRY, Entry, Store
from vilax.config.errors import ConfigError
from vilax.config.locate import store_dir
from vilax.config.schema.run import Run
from vilax.config.validate import validate
from vilax.evaluation.subject import Subject


def find_result(model: str) -> tuple[Run, str, Entry]:
    """A stage's result, with the configuration that trained it and the stage's name.

    Args:
        model: a folder of a stage's result, or the first digits of its identity in the store.

    Raises:
        ConfigError: there is no such result, or it is none of a stage.
    """
    folder = Path(model).expanduser()
    if (folder / ENTRY).is_file():
        facts = _read(folder / ENTRY)
        entry = Entry(
            facts["kind"], facts["identity"], folder, facts["inputs"], facts["meta"], facts["files"]
        )
    elif folder.exists():
        raise ConfigError(
            f"{model} holds no result of a stage: expected a folder with {ENTRY}, as"
            " vilax store show prints it, or the first digits of an identity"
        )
    else:
        entry = Store(store_dir()).resolve(model)
    if entry.kind != "stage":
        raise ConfigError(f"{entry.label} is no stage's result: expected one to evaluate")
    run = validate(Run, _read(entry.folder / "run.json")["config"])
    return run, str(entry.meta["name"]), entry


def open_subject(model: str) -> Subject:
    """A trained result as a model that answers.

    Raises:
        ConfigError: there is no such result.
    """
    from vilax.training.load import load_result

    run, stage, entry = find_result(model)
    return Subject(*load_result(run, entry, stage))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
