"""Image encoders as folders that a configuration names relatively."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import CLIPImageProcessor

from vilax.config.schema.model import Encoder as EncoderConfig
from vilax.config.schema.model import FusedEncoder as FusedConfig
from vilax.config.schema.model import TimmEncoder as TimmConfig
from vilax.config.schema.model import TransformersEncoder as TransformersConfig
from vilax.interop.tensors import tensors_of
from vilax.models.encoder import Encoder
from vilax.models.internvit import InternVit
from vilax.models.joined import FusedFeatures, ScaledFeatures

PLACE = "encoder"

WEIGHTS = "model.safetensors"
"""File of a timm network's weights."""


def write_encoder(config: EncoderConfig, encoder: Encoder, folder: Path) -> EncoderConfig:
    """Write an encoder's weights, those of each of a fused one's members in a folder of its own.

    Args:
        config: what the encoder was built by.
        encoder: its weights.
        folder: a model folder; ``encoder/`` in it is written.

    Returns:
        The configuration that builds it from there, with paths relative to ``folder``.
    """
    if not isinstance(config, FusedConfig):
        return _write_one(config, encoder, folder, PLACE)
    assert isinstance(encoder, FusedFeatures)
    members = tuple(
        _write_one(one, member, folder, f"{PLACE}/{number}")
        for number, (one, member) in enumerate(zip(config.members, encoder.members(), strict=True))
    )
    return config.model_copy(update={"members": members})


def _write_one(
    config: TimmConfig | TransformersConfig, encoder: Encoder, folder: Path, place: str
) -> TimmConfig | TransformersConfig:
    at_one_scale = encoder.net if isinstance(encoder, ScaledFeatures) else encoder
    assert isinstance(at_one_scale, Encoder)
    net: Any = at_one_scale.net
    (folder / place).mkdir(parents=True)
    if isinstance(config, TimmConfig):
        save_file(tensors_of(net), folder / place / WEIGHTS)
        colours = {"mean": encoder.mean, "std": encoder.std}
        return config.model_copy(update={"weights": f"./{place}/{WEIGHTS}", **colours})
    if isinstance(net, InternVit):
        net.publish(folder / place)
    else:
        net.save_pretrained(folder / place)
    # Size and cut are the run's affair; what the weights were made with is what counts here.
    CLIPImageProcessor(image_mean=list(encoder.mean), image_std=list(encoder.std)).save_pretrained(
        folder / place
    )
    return config.model_copy(update={"source": f"./{place}"})
