"""How pictures reach the model in training: as features where they are cached, else as pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vilax.config.locate import cache_dir
from vilax.config.schema.run import Run
from vilax.data.intake import Prepare
from vilax.data.pictures import Squared
from vilax.data.tiles import TokensPerImage
from vilax.models.views import Visual
from vilax.models.vlm import VisionLanguageModel
from vilax.training.build import build_transform, image_tokens
from vilax.training.features import FeatureSource
from vilax.training.tiled import as_views, blank_views


@dataclass(frozen=True)
class Sight:
    """How pictures reach the model.

    Attributes:
        tokens: positions that a picture takes; 0 for text alone.
        visual: pictures of a micro-batch to what the model takes; None for text alone.
        dummy: a picture without content, for micro-batches that have none.
        prepare: makes what is done to each picture before packing; None: it is looked at only.
        normalise: eight-bit pixels to what the encoder takes; None: ``visual`` gives features.
    """

    tokens: TokensPerImage = 0
    visual: Callable[[Sequence[Any]], Visual] | None = None
    dummy: Visual | None = None
    prepare: Callable[[], Prepare] | None = None
    normalise: Callable[[Tensor], Tensor] | None = None


def sight_of(run: Run, model: VisionLanguageModel, is_frozen: bool) -> Sight:
    """How pictures reach a stage's model.

    Args:
        run: the configuration.
        model: the stage's.
        is_frozen: whether its encoder is.
    """
    encoder = model.encoder
    if encoder is None:
        return Sight()
    transform = build_transform(run.encoder, encoder)
    tokens = image_tokens(transform, model.tokens_per_view)
    if run.features.cache and is_frozen:
        source = FeatureSource(encoder, transform, cache_dir(), tokens)
        blank = torch.zeros(1, encoder.tokens, encoder.width)
        return Sight(tokens, source, _dummy(blank, tokens))
    squared = Squared(transform)

    def pixels(pictures: Sequence[Any]) -> Visual:
        values = squared.batch(pictures)
        if isinstance(tokens, int):
            return values
        counts = [len(cut.pixels) for cut in pictures]
        return as_views(values, counts, [cut.size for cut in pictures], tokens)

    size = encoder.image_size
    blank = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    return Sight(tokens, pixels, _dummy(blank, tokens), lambda: squared, transform.normalise)


def _dummy(blank: Tensor, tokens: TokensPerImage) -> Visual:
    return blank if isinstance(tokens, int) else blank_views(blank, tokens)
