"""Export to a folder of vilax's own: all that is needed to evaluate and to train from it."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import CLIPImageProcessor

from vilax.config.schema.model import Encoder as EncoderConfig
from vilax.config.schema.model import FusedEncoder as FusedConfig
from vilax.config.schema.model import PretrainedLlm
from vilax.config.schema.model import TimmEncoder as TimmConfig
from vilax.config.schema.model import TransformersEncoder as TransformersConfig
from vilax.interop.folder import fill_entry
from vilax.interop.model import Exported, tensors_of
from vilax.models.encoder import Encoder
from vilax.models.internvit import InternVit
from vilax.models.joined import FusedFeatures, ScaledFeatures
from vilax.models.visual_expert import TWIN

WEIGHTS = "model.safetensors"
"""File of a timm network's weights."""


def write_native(exported: Exported, folder: Path) -> None:
    """Write encoder, projector, LLM and tokenizer with the configuration that builds them."""
    run = exported.run
    llm = exported.model.llm
    plain = {name: t for name, t in llm.net.state_dict().items() if f".{TWIN}." not in name}
    llm.net.save_pretrained(folder / "llm", state_dict=plain)  # type: ignore[operator]
    if llm.has_experts:
        # What transformers' layout has no place for lies beside it, as in a stage's result.
        save_file(tensors_of(llm), folder / "llm.safetensors")
    exported.tokenizer.save_pretrained(folder / "llm")
    assert exported.model.projector is not None
    save_file(tensors_of(exported.model.projector), folder / "projector.safetensors")
    own = run.model_copy(
        update={"encoder": _write_encoder(exported, folder), "llm": PretrainedLlm(source="./llm")}
    )
    fill_entry(folder, own, exported.stage, {"exported": {"from": exported.entry.identity}})


def _write_encoder(exported: Exported, folder: Path) -> EncoderConfig:
    """Weights of the encoder, or of each of a fused one's members, and where they now lie."""
    config, encoder = exported.run.encoder, exported.model.encoder
    assert encoder is not None
    if not isinstance(config, FusedConfig):
        return _write_one(config, encoder, folder, "encoder")
    assert isinstance(encoder, FusedFeatures)
    members = tuple(
        _write_one(one, member, folder, f"encoder/{number}")
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
