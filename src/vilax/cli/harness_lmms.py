"""``vilax`` as lmms-eval's own command makes it: ``model=`` names a result."""

from typing import Any

from vilax.ablation.subject import open_subject
from vilax.cli.harness_plugin import named
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
        batch_size: int = 16,
        **ignored: Any,
    ) -> None:
        super().__init__(open_subject(named(model)), template, int(batch_size), frames)
