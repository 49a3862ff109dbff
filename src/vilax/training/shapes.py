"""What data needs to know of a model, without its weights: picture size, visual tokens."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig

from vilax.config.errors import ConfigError
from vilax.config.schema.model import Encoder as EncoderConfig
from vilax.config.schema.model import Llm, ScratchLlm, TimmEncoder, TransformersEncoder
from vilax.config.schema.run import Run
from vilax.data.images import ImageTransform
from vilax.models import encoder as encoders
from vilax.training.build import build_projector, build_transform


@dataclass(frozen=True)
class Shapes:
    """What of a model shapes its data.

    Attributes:
        tokens_per_image: visual tokens of a picture after projection; 0 for a text-only model.
        transform: how pictures reach the encoder; None for a text-only model.
    """

    tokens_per_image: int = 0
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
    tokens = projector.tokens(encoder.side, encoder.tokens - encoder.side**2)
    return Shapes(tokens, build_transform(run.encoder, encoder))


def blank_encoder(config: EncoderConfig) -> encoders.Encoder:
    """The image encoder on the meta device: sizes, normalisation, no weights.

    Raises:
        ConfigError: there is no such encoder.
    """
    shared: dict[str, Any] = {
        "layer": config.layer,
        "class_token": config.class_token,
        "grid": config.grid,
    }
    try:
        with torch.device("meta"):
            if isinstance(config, TimmEncoder):
                return encoders.TimmEncoder(config.name, "random", config.image_size, **shared)
            assert isinstance(config, TransformersEncoder)
            return _Blank(config.source, config.image_size, **shared)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"encoder {config.model_dump_json()} cannot be built: {error}") from error


def llm_width(config: Llm) -> int:
    """Width of the language model.

    Raises:
        ConfigError: there is no such model.
    """
    if isinstance(config, ScratchLlm):
        return config.hidden_size
    try:
        whole = AutoConfig.from_pretrained(config.source)
    except (OSError, ValueError) as error:
        raise ConfigError(f"llm {config.model_dump_json()} cannot be built: {error}") from error
    return int(whole.get_text_config().hidden_size)


class _Blank(encoders.TransformersEncoder):
    """The encoder of a folder or hub id from its configuration alone."""

    def _net(self, architecture: Any, source: str, config: Any) -> nn.Module:
        net: nn.Module = architecture(config)
        return net
