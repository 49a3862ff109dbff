"""``vilax`` as lmms-eval's own command makes it: ``model=`` names a result."""

import os
from typing import Any, cast

from vilax.ablation.subject import open_subject
from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.config.schema.video import FrameSampling
from vilax.evaluation.harness.lmms_eval import VilaxLmms


class Vilax(VilaxLmms):
    """A result as a model of lmms-eval.

    Args:
        model: a folder of a stage's result, or the first digits of its identity in the store.
        template: how a request becomes a prompt.
        frames: of a video.
        batch_size: prompts computed together, at most.
        ignored: what lmms-eval's command hands to every model.

    Raises:
        ConfigError: there is no such result, or several processes were started.
    """

    def __init__(
        self,
        model: str,
        template: str = "vicuna_v1",
        frames: int = 8,
        batch_size: int | str | None = None,
        **ignored: Any,
    ) -> None:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ConfigError("vilax runs in one process under lmms-eval: expected no launcher")
        sampling = FrameSampling(count=int(frames), rate=None, most=256)
        size = int(batch_size or 16)
        # Digits of an identity may be read as a number.
        super().__init__(open_subject(str(model)), cast(Template, template), size, sampling)
