"""A trained result, named by a folder or by its identity, as something to evaluate."""

from pathlib import Path

from vilax.artifacts.store import Entry, Store, read_entry
from vilax.config.errors import ConfigError
from vilax.config.locate import store_dir
from vilax.config.schema.run import Run
from vilax.config.start import config_in
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
    entry = read_entry(folder) if folder.exists() else Store(store_dir()).resolve(model)
    if entry.kind != "stage":
        raise ConfigError(f"{entry.label} is no stage's result: expected one to evaluate")
    run = validate(Run, config_in(entry.folder))
    return run, str(entry.meta["name"]), entry


def open_subject(model: str) -> Subject:
    """A trained result as a model that answers.

    Raises:
        ConfigError: there is no such result.
    """
    from vilax.training.load import load_result

    run, stage, entry = find_result(model)
    return Subject(*load_result(run, entry, stage))
