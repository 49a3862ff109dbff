"""What data needs to know of a model, without its weights: picture size, visual tokens."""

from dataclasses import dataclass

import torch

from vilax.config.errors import ConfigError
from vilax.config.schema.model import Llm, ScratchLlm
from vilax.config.schema.run import Run
from vilax.data.images import ImageTransform
from vilax.data.tiles import TokensPerImage
from vilax.models.architecture import config_of
from vilax.training.build import (
    blank_encoder,
    build_projector,
    build_transform,
    image_tokens,
)


@dataclass(frozen=True)
class Shapes:
    """What of a model shapes its data.

    Attributes:
        tokens_per_image: visual tokens of a picture after projection, or what tells them by its
            size; 0 for a text-only model.
        transform: how pictures reach the encoder; None for a text-only model.
    """

    tokens_per_image: TokensPerImage = 0
    transform: ImageTransform | None = None


def shapes_of(run: Run, parts: tuple[str, ...]) -> Shapes:
    """Shapes of the model that a stage with these parts has.

    Raises:
        ConfigError: there is no such encoder, or the parts do not fit each other.
    """
    if "encoder" not in parts:
        return Shapes()
    encoder = blank_encoder(run.encoder)
    with torch.device("meta"):
        projector = build_projector(run.projector, encoder.width, llm_width(run.llm))
    each = projector.tokens(encoder.side, encoder.tokens - encoder.side**2)
    transform = build_transform(run.encoder, encoder)
    return Shapes(image_tokens(transform, each), transform)


def llm_width(config: Llm) -> int:
    """Width of the language model.

    Raises:
        ConfigError: there is no such model.
    """
    if isinstance(config, ScratchLlm):
        return config.hidden_size
    try:
        whole = config_of(config.source)
    except (OSError, ValueError) as error:
        raise ConfigError(f"llm {config.model_dump_json()} cannot be built: {error}") from error
    return int(whole.get_text_config().hidden_size)
