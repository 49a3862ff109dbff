"""A stage's result as a model that answers."""

from transformers import PreTrainedTokenizerBase

from vilax.artifacts.store import Entry
from vilax.config.locate import cache_dir
from vilax.config.schema.run import Run
from vilax.data.tiles import TokensPerImage
from vilax.models.vlm import VisionLanguageModel
from vilax.training.build import build_model, build_transform, image_tokens
from vilax.training.features import FeatureSource
from vilax.training.recipe import stage_seed
from vilax.training.strategy import device_of
from vilax.training.weights import load_parts


def load_result(
    run: Run, entry: Entry, stage: str
) -> tuple[VisionLanguageModel, PreTrainedTokenizerBase, FeatureSource | None, TokensPerImage]:
    """What answers, in evaluation mode.

    Returns:
        The model, its tokenizer, features of picture bytes (None: text only), and the positions
        that a picture takes.

    Raises:
        ValueError: the result's tensors do not fit the model of this configuration.
    """
    device = device_of(run.trainer)
    settings = run.stages[stage]
    model, tokenizer = build_model(run, settings.parts, stage_seed(run, settings), device)
    load_parts(model, entry.folder)
    model.to(device).eval().requires_grad_(False)
    if model.encoder is None:
        return model, tokenizer, None, 0
    # An encoder that a stage has trained has another fingerprint, hence another cache folder.
    cache = cache_dir() if run.features.cache else None
    transform = build_transform(run.encoder, model.encoder)
    tokens = image_tokens(transform, model.tokens_per_view)
    return model, tokenizer, FeatureSource(model.encoder, transform, cache, tokens), tokens
