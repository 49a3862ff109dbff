"""``vilax`` as the harnesses' own commands name it.

lmms-eval finds it by the entry point ``lmms_eval.models``:
``lmms-eval --model vilax --model_args model=RESULT,template=vicuna_v1 --tasks pope``. lm-eval has
no entry points: import ``vilax.cli.harness_lm``, then ``simple_evaluate("vilax", "model=RESULT")``.
"""

import os
from typing import Any

from vilax.config.errors import ConfigError


def manifest() -> Any:
    """What lmms-eval registers."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest("vilax", simple_class_path="vilax.cli.harness_lmms.Vilax")


def named(model: object) -> str:
    """The result that ``model=`` names.

    Raises:
        ConfigError: the harness has taken it for a number, so that digits of it may be lost; or
            several processes were started.
    """
    alone()
    if not isinstance(model, str):
        raise ConfigError(f"model={model} was read as a number: expected a folder, or more digits")
    return model


def alone() -> None:
    """Refuse to be one of several processes.

    Raises:
        ConfigError: WORLD_SIZE says that there are more.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "WORLD_SIZE: a harness asks vilax in one process; expected no torchrun and no"
            " accelerate launch (vilax evaluate shares items over GPUs)"
        )
