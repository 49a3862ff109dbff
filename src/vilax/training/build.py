"""From configuration to objects: a table of constructors, so that no config names a class."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from vilax.config.errors import ConfigError
from vilax.config.schema.model import (
    Encoder as EncoderConfig,
)
from vilax.config.schema.model import (
    FusedEncoder,
    Kernels,
    Llm,
    Projector,
    ScratchLlm,
    TimmEncoder,
)
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.data.images import ImageTransform
from vilax.data.tiles import Anyres, InternvlTiling, TileTokens, Tiling, TokensPerImage
from vilax.micro.tokenizer import build_tokenizer
from vilax.models import encoder as encoders
from vilax.models import projector as projectors
from vilax.models.freeze import Adapter, PartPlan, apply_freeze
from vilax.models.fused_mlp import FusedMlpProjector
from vilax.models.joined import FusedFeatures, ScaledFeatures
from vilax.models.llm import LanguageModel
from vilax.models.resampler import ResamplerProjector
from vilax.models.tokenizer import read_tokenizer
from vilax.models.vlm import VisionLanguageModel
from vilax.training.seeding import seeded

PROJECTORS: dict[str, Callable[..., projectors.Projector]] = {
    "linear": projectors.LinearProjector,
    "mlp": projectors.MlpProjector,
    "fused_mlp": FusedMlpProjector,
    "transformer": projectors.TransformerProjector,
    "downsample": projectors.DownsampleProjector,
    "mlp_downsample": projectors.MlpDownsampleProjector,
    "pixel_shuffle": projectors.PixelShuffleProjector,
    "average_pool": projectors.AveragePoolProjector,
    "resampler": ResamplerProjector,
    "identity": projectors.IdentityProjector,
}


def build_encoder(config: EncoderConfig) -> encoders.Encoder:
    """The image encoder with its pre-trained weights.

    Raises:
        ConfigError: the weights do not exist or do not fit.
    """
    try:
        return _encoder(config)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"encoder {config.model_dump_json()} cannot be built: {error}") from error


def blank_encoder(config: EncoderConfig) -> encoders.Encoder:
    """The image encoder without its weights, on the meta device: sizes and normalisation.

    Raises:
        ConfigError: there is no such encoder.
    """
    try:
        with torch.device("meta"):
            return _encoder(config, blank=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"encoder {config.model_dump_json()} cannot be built: {error}") from error


def _encoder(config: EncoderConfig, blank: bool = False) -> encoders.Encoder:
    if isinstance(config, FusedEncoder):
        return FusedFeatures([_encoder(member, blank) for member in config.members], config.grid)
    shared: dict[str, Any] = {
        "image_size": min(config.scales, default=config.image_size),
        "layer": config.layer,
        "class_token": config.class_token,
        "grid": None if config.scales else config.grid,
        "mean": config.mean,
        "std": config.std,
    }
    encoder: encoders.Encoder
    if isinstance(config, TimmEncoder):
        weights = "random" if blank else config.weights
        encoder = encoders.TimmEncoder(config.name, weights, **shared)
    else:
        encoder = encoders.TransformersEncoder(config.source, blank=blank, **shared)
    return ScaledFeatures(encoder, config.scales, config.grid) if config.scales else encoder


def build_projector(
    config: Projector, d_vision: int, d_llm: int, policy: str = "pad"
) -> projectors.Projector:
    """A projector with fresh weights.

    Args:
        config: which.
        d_vision: channels of a feature.
        d_llm: channels of a visual token.
        policy: the encoder's ``image_policy``; under ``anyres`` the projector has a newline.

    Raises:
        ConfigError: its sizes do not fit the encoder's or the LLM's.
    """
    options = config.model_dump(exclude={"kind"})
    try:
        projector = PROJECTORS[config.kind](d_vision, d_llm, **options)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if policy == "anyres":
        projector.add_newline(d_llm)
    return projector


def build_tokenizer_of(config: Llm) -> PreTrainedTokenizerBase:
    """The LLM's tokenizer, with a padding token.

    Raises:
        ConfigError: there is none, or it cannot be read or fetched.
    """
    source = config.tokenizer if isinstance(config, ScratchLlm) else config.source
    if source == "micro":
        return build_tokenizer()
    key = "llm.tokenizer" if isinstance(config, ScratchLlm) else "llm.source"
    try:
        tokenizer = read_tokenizer(source)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{key}={source}: no tokenizer can be read ({' '.join(str(error).split())}): expected"
            " an id of the hub, where it can be reached, or a folder on this disk, as in llm=FOLDER"
        ) from error
    if tokenizer.pad_token_id is None:
        # Padding carries no loss and is attended to by nobody: which token fills it is moot.
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    return tokenizer


def build_llm(
    config: Llm, kernels: Kernels, tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> LanguageModel:
    """The language model, pre-trained or of random weights.

    Raises:
        ConfigError: there is no such model, or it cannot be built with these sizes.
    """
    try:
        if isinstance(config, ScratchLlm):
            sizes: dict[str, Any] = config.model_dump(exclude={"kind", "architecture", "tokenizer"})
            sizes |= {
                "vocab_size": len(tokenizer),
                "num_key_value_heads": config.num_attention_heads,
                "tie_word_embeddings": True,
                "bos_token_id": tokenizer.bos_token_id,
                "eos_token_id": tokenizer.eos_token_id,
                "pad_token_id": tokenizer.pad_token_id,
            }
            return LanguageModel.scratch(config.architecture, sizes, kernels.attention, device)
        return LanguageModel.pretrained(config.source, kernels.attention, device)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"llm {config.model_dump_json()} cannot be built: {error}") from error


def build_model(
    run: Run, parts: tuple[str, ...], seed: int, device: torch.device
) -> tuple[VisionLanguageModel, PreTrainedTokenizerBase]:
    """The model before any stage: pre-trained parts, fresh projector, and its tokenizer.

    Each part is initialised from its own seed, so that a change of one leaves the others alone.
    """
    tokenizer = build_tokenizer_of(run.llm)
    with seeded(seed, "llm"):
        llm = build_llm(run.llm, run.kernels, tokenizer, device)
    encoder: encoders.Encoder | None = None
    projector: nn.Module | None = None
    if "encoder" in parts:
        with seeded(seed, "encoder"):
            encoder = build_encoder(run.encoder)
        with seeded(seed, "projector"):
            policy = run.encoder.image_policy
            projector = build_projector(run.projector, encoder.width, llm.width, policy)
    return VisionLanguageModel(encoder, projector, llm), tokenizer  # type: ignore[arg-type]


def build_transform(config: EncoderConfig, encoder: encoders.Encoder) -> ImageTransform:
    """How a picture's bytes become the encoder's input."""
    return ImageTransform(
        size=encoder.image_size,
        policy=config.image_policy,
        mean=encoder.mean,
        std=encoder.std,
        tiling=_tiling(config, encoder.image_size),
    )


def _tiling(config: EncoderConfig, side: int) -> Tiling | None:
    if isinstance(config, FusedEncoder):
        return None
    if config.image_policy == "anyres":
        return Anyres(side, config.pinpoints)
    return InternvlTiling(side, config.max_tiles) if config.image_policy == "internvl" else None


def image_tokens(transform: ImageTransform, each: int) -> TokensPerImage:
    """Positions that a picture takes.

    Args:
        transform: how pictures reach the encoder.
        each: visual tokens of a picture, of pictures in tiles those of one view.
    """
    return each if transform.tiling is None else TileTokens(transform.tiling, each)


def freeze_plan(stage: Stage) -> dict[str, PartPlan]:
    """The stage's freeze policy joined with its learning rates."""
    plan = {}
    for part in ("encoder", "projector", "llm"):
        policy = getattr(stage.freeze, part)
        lora = policy.lora
        adapter = Adapter(lora.rank, lora.alpha, lora.dropout, tuple(lora.targets), lora.method)
        plan[part] = PartPlan(
            mode=policy.mode,
            rate=getattr(stage.rates, part),
            adapter=adapter if policy.mode == "adapted" else None,
            only=policy.only,
        )
    return plan


def freeze_model(model: VisionLanguageModel, run: Run, name: str) -> dict[str, PartPlan]:
    """Freeze a model as a stage does; gives the stage's plan.

    Raises:
        ConfigError: the policy does not fit the model.
    """
    plan = freeze_plan(run.stages[name])
    try:
        apply_freeze(model, plan)
    except ValueError as error:
        key = f"stages.{name}." if str(error).startswith("freeze.") else f"stages.{name}: "
        raise ConfigError(f"{key}{error}") from error
    return plan
