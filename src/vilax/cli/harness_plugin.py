"""What lmms-eval's own command finds by the entry point ``lmms_eval.models``.

``lmms-eval --model vilax --model_args model=RESULT,template=vicuna_v1 --tasks pope``
"""

from typing import Any


def manifest() -> Any:
    """Where lmms-eval finds ``vilax``."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest("vilax", simple_class_path="vilax.cli.harness_lmms.Vilax")
