"""Hydra's part of composition: what files of groups make together."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from vilax.config.errors import ConfigError
from vilax.config.locate import conf_dir
from vilax.config.searchpath import search_first

Composed = tuple[dict[str, Any], dict[str, str]]
"""A composed configuration, and the choice that filled each slot of the defaults list."""

_known: ContextVar[dict[tuple[Path | None, tuple[str, ...]], Composed] | None] = ContextVar(
    "known", default=None
)


@contextmanager
def composed_once() -> Iterator[None]:
    """Inside, equal choices are composed once, so files are taken to stay as they are.

    Arms of comparisons differ in few groups, and Hydra takes a tenth of a second or two for each.
    """
    token = None if _known.get() is not None else _known.set({})
    try:
        yield
    finally:
        if token is not None:
            _known.reset(token)


def compose_groups(words: Sequence[str], config_dir: Path | None) -> Composed:
    """What Hydra composes from the chosen groups.

    Args:
        words: overrides in Hydra's own grammar.
        config_dir: the user's folder.

    Raises:
        ConfigError: Hydra cannot compose it.
    """
    known = _known.get()
    if known is None:
        return _composed(words, config_dir)
    key = (config_dir, tuple(words))
    if key not in known:
        known[key] = _composed(words, config_dir)
    # What is composed is changed by those who asked for it.
    return copy.deepcopy(known[key])


def _composed(words: Sequence[str], config_dir: Path | None) -> Composed:
    if config_dir is not None and not config_dir.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    search_first(config_dir)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            composed = compose("config", list(words), return_hydra_config=True)
        slots = OmegaConf.to_container(composed.hydra.runtime.choices)
        with open_dict(composed):
            del composed["hydra"]
        plain = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ConfigError(f"cannot compose: {'; '.join(lines[:2])}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"cannot compose: {' '.join(str(error).split())}") from error
    assert isinstance(plain, dict)
    assert isinstance(slots, dict)
    return {str(k): v for k, v in plain.items()}, {str(k): v for k, v in slots.items()}
