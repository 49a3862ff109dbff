"""``vilax`` as a model of lm-eval: ``model=`` names a result. Importing this registers it."""

from typing import Any

from lm_eval.api.registry import register_model

from vilax.ablation.subject import open_subject
from vilax.cli.harness_plugin import named
from vilax.evaluation.harness.lm_eval import VilaxLM


@register_model("vilax")
class Vilax(VilaxLM):
    """A result as a model of lm-eval.

    Args:
        model: a folder of a stage's result, or the first digits of its identity in the store.
        template: how a context becomes a prompt.
        batch_size: prompts computed together, at most.
        ignored: what lm-eval hands to every model.

    Raises:
        ConfigError: there is no such result, or several processes were started.
    """

    def __init__(
        self, model: str, template: str = "raw", batch_size: int | None = None, **ignored: Any
    ) -> None:
        super().__init__(open_subject(named(model)), template, int(batch_size or 16))
