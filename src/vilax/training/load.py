"""A stage's result as a model that answers."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from vilax.artifacts.store import Entry
from vilax.config.locate import cache_dir
from vilax.config.schema.run import Run
from vilax.models.vlm import VisionLanguageModel
from vilax.training.build import build_model, build_transform
from vilax.training.features import FeatureSource
from vilax.training.recipe import stage_seed
from vilax.training.strategy import device_of
from vilax.training.weights import load_parts

Features = Callable[[Sequence[bytes]], Float[Tensor, "images tokens width"]]


def load_result(
    run: Run, entry: Entry, stage: str
) -> tuple[VisionLanguageModel, PreTrainedTokenizerBase, Features | None]:
    """Model in evaluation mode, tokenizer, and features of picture bytes (None: text only).

    Raises:
        ValueError: the result's tensors do not fit the model of this configuration.
    """
    device = device_of(run.trainer)
    settings = run.stages[stage]
    model, tokenizer = build_model(run, settings.parts, stage_seed(run, settings), device)
    load_parts(model, entry.folder)
    model.to(device).eval().requires_grad_(False)
    if model.encoder is None:
        return model, tokenizer, None
    # An encoder that a stage has trained has another fingerprint, hence another cache folder.
    cache = cache_dir() if run.features.cache else None
    return (
        model,
        tokenizer,
        FeatureSource(model.encoder, build_transform(run.encoder, model.encoder), cache),
    )
