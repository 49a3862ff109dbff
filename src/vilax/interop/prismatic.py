"""Import of prismatic's run folders (github.com/TRI-ML/prismatic-vlms, arXiv 2402.07865).

``config.json`` names the parts, ``checkpoints/latest-checkpoint.pt`` has the tensors of those that
were trained, by part: ``projector`` (``projector.0.weight`` ...), ``llm_backbone`` (``llm.`` before
transformers' names) and seldom ``vision_backbone`` (timm's names behind the featurizer's).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
from huggingface_hub import snapshot_download
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import Tensor, nn
from transformers import AutoTokenizer

from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.model import (
    Encoder as EncoderConfig,
)
from vilax.config.schema.model import (
    FusedEncoder,
    FusedMlpProjector,
    LinearProjector,
    MlpProjector,
    Projector,
    TimmEncoder,
)
from vilax.interop.encoder_folder import write_encoder
from vilax.interop.progress import Tell, silent
from vilax.interop.source import Source
from vilax.interop.tensors import match, named
from vilax.interop.weight_files import read_file, read_folder
from vilax.models.architecture import config_of
from vilax.models.encoder import Encoder
from vilax.models.joined import FusedFeatures
from vilax.training.build import blank_encoder

CHECKPOINT = Path("checkpoints") / "latest-checkpoint.pt"

KEYS = ("vision_backbone_id", "llm_backbone_id", "arch_specifier", "image_resize_strategy")

PARTS = ("vision_backbone", "projector", "llm_backbone")

DINO = "vit_large_patch14_reg4_dinov2.lvd142m"

TOWERS: dict[str, tuple[dict[str, str], int]] = {
    "clip-vit-b": ({"featurizer": "vit_base_patch16_clip_quickgelu_224.openai"}, 224),
    "clip-vit-l": ({"featurizer": "vit_large_patch14_clip_quickgelu_224.openai"}, 224),
    "clip-vit-l-336px": ({"featurizer": "vit_large_patch14_clip_quickgelu_336.openai"}, 336),
    "siglip-vit-b16-224px": ({"featurizer": "vit_base_patch16_siglip_224.webli"}, 224),
    "siglip-vit-b16-256px": ({"featurizer": "vit_base_patch16_siglip_256.webli"}, 256),
    "siglip-vit-b16-384px": ({"featurizer": "vit_base_patch16_siglip_384.webli"}, 384),
    "siglip-vit-so400m": ({"featurizer": "vit_so400m_patch14_siglip_224.webli"}, 224),
    "siglip-vit-so400m-384px": ({"featurizer": "vit_so400m_patch14_siglip_384.webli"}, 384),
    "dinov2-vit-l": ({"featurizer": DINO}, 224),
    "in1k-vit-l": ({"featurizer": "vit_large_patch16_224.augreg_in21k_ft_in1k"}, 224),
    # Alone, CLIP runs with the quick GELU that it was made with; beside DINO with the plain one.
    "dinoclip-vit-l-336px": (
        {"dino_featurizer": DINO, "clip_featurizer": "vit_large_patch14_clip_336.openai"},
        336,
    ),
    "dinosiglip-vit-so-224px": (
        {"dino_featurizer": DINO, "siglip_featurizer": "vit_so400m_patch14_siglip_224.webli"},
        224,
    ),
    "dinosiglip-vit-so-384px": (
        {"dino_featurizer": DINO, "siglip_featurizer": "vit_so400m_patch14_siglip_384.webli"},
        384,
    ),
}
"""Per ``vision_backbone_id``: timm's networks by their name in the checkpoint, and the side of the
picture in pixels."""

LLMS = {
    "llama2-7b-pure": "meta-llama/Llama-2-7b-hf",
    "llama2-13b-pure": "meta-llama/Llama-2-13b-hf",
    "llama2-7b-chat": "meta-llama/Llama-2-7b-chat-hf",
    "llama2-13b-chat": "meta-llama/Llama-2-13b-chat-hf",
    "vicuna-v15-7b": "lmsys/vicuna-7b-v1.5",
    "vicuna-v15-13b": "lmsys/vicuna-13b-v1.5",
    "mistral-v0.1-7b-pure": "mistralai/Mistral-7B-v0.1",
    "mistral-v0.1-7b-instruct": "mistralai/Mistral-7B-Instruct-v0.1",
    "phi-2-3b": "microsoft/phi-2",
}
"""Per ``llm_backbone_id``: where its configuration and tokenizer are."""

PROJECTORS: dict[str, Projector] = {
    "linear": LinearProjector(),
    "gelu-mlp": MlpProjector(depth=2),
    "fused-gelu-mlp": FusedMlpProjector(),
}
"""By ``arch_specifier``, before which ``no-align+`` tells how it was trained."""

POLICIES = {"letterbox": "pad", "resize-naive": "resize", "resize-crop": "crop"}

PADDED_TO = 64
"""Rows of the embeddings are a multiple of this, once a padding token was added."""


def is_prismatic(config: Mapping[str, Any]) -> bool:
    """Whether a ``config.json`` is that of a run of prismatic."""
    model = config.get("model")
    return isinstance(model, Mapping) and set(KEYS[:3]) <= set(model)


@dataclass
class PrismaticSource(Source):
    """A run of prismatic; ``vision`` is the encoder's configuration.

    Attributes:
        towers: the encoder's networks by their name in the checkpoint.
        given: folders, files or hub ids of their weights; empty: timm's own.
    """

    towers: Mapping[str, TimmEncoder] = field(default_factory=dict)
    given: Sequence[str] = ()

    def build_encoder(self) -> tuple[nn.Module, int]:
        """timm's networks with the checkpoint's weights, or else with those that were given.

        Raises:
            ConfigError: weights cannot be had, or a tensor does not fit, naming it.
        """
        for name in self.encoder:
            if name.partition(".")[0] not in self.towers:
                raise ConfigError(f"encoder: tensor {name} belongs to no place in the model")
        if self.given and self.encoder:
            raise ConfigError("--encoder given for a checkpoint that has its encoder's weights")
        if self.given and len(self.given) != len(self.towers):
            order = ", ".join(tower.name for tower in self.towers.values())
            raise ConfigError(
                f"--encoder given {len(self.given)} times: expected {len(self.towers)}, for {order}"
                " in this order"
            )
        given = self.given or [""] * len(self.towers)
        networks = [
            self._tower(name, config, place)
            for (name, config), place in zip(self.towers.items(), given, strict=True)
        ]
        whole = networks[0] if len(networks) == 1 else FusedFeatures(networks)
        return whole, whole.width

    def _tower(self, name: str, config: TimmEncoder, given: str) -> Encoder:
        """A network with its tensors of the checkpoint, or else of the place that was given."""
        encoder = blank_encoder(config)
        own = {
            key.partition(".")[2]: tensor
            for key, tensor in self.encoder.items()
            if key.startswith(f"{name}.")
        }
        if not own:
            net: Any = encoder.net
            found = _read(given, config.name)
            own = {
                key: tensor
                for key, tensor in checkpoint_filter_fn(found, net).items()
                # The classifier, which no feature depends on.
                if not key.startswith("head.")
            }
        fitting = match(own, encoder.net.state_dict(), f"encoder {config.name}", set())
        floats = {key: tensor.float() for key, tensor in fitting.items()}
        encoder.net.load_state_dict(floats, assign=True)
        return encoder.eval()

    def write_encoder(self, encoder: nn.Module, folder: Path) -> EncoderConfig:
        """Write the networks one by one; the configuration returned names them relatively."""
        assert isinstance(encoder, Encoder)
        return write_encoder(self.vision, encoder, folder)


def read_prismatic(
    folder: Path,
    config: Mapping[str, Any],
    encoders: Sequence[str],
    llm: str | None,
    tell: Tell = silent,
) -> PrismaticSource:
    """Read a run folder.

    Args:
        folder: with ``checkpoints/latest-checkpoint.pt``.
        config: its ``config.json``.
        encoders: folders, files or hub ids of the encoder's networks in timm's layout, in the order
            in which they are joined; empty: the hub's.
        llm: folder or hub id of the LLM that it was trained from; None: the hub's.
        tell: is told how reading gets on.

    Raises:
        ConfigError: a name is not known, a file cannot be read, or a part is missing.
    """
    model = config["model"]
    for key in KEYS:
        if not isinstance(model.get(key), str):
            raise ConfigError(f"{folder / 'config.json'}: expected a name at model.{key}")
    projector = _known(model, "arch_specifier", PROJECTORS, model["arch_specifier"].split("+")[-1])
    policy = _known(model, "image_resize_strategy", POLICIES)
    names, size = _known(model, "vision_backbone_id", TOWERS)
    towers = {key: TimmEncoder(name=name, image_size=size) for key, name in names.items()}
    file = folder / CHECKPOINT
    if not file.is_file():
        raise ConfigError(f"{folder} is a run of prismatic without {CHECKPOINT}")
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    tell(f"reading {file.name}", 0, file.stat().st_size)
    for name, tensor in read_file(file).items():
        part, _, own = name.partition(".")
        if part not in parts:
            raise ConfigError(f"{file}: tensor {name} is of no part: expected {', '.join(PARTS)}")
        parts[part][own] = tensor
    if not parts["projector"]:
        raise ConfigError(f"{file} has no projector: expected tensors at model.projector")
    origin = llm or LLMS.get(model["llm_backbone_id"])
    if origin is None:
        shown = f"model.llm_backbone_id={model['llm_backbone_id']}"
        raise ConfigError(f"{shown}: expected --llm FOLDER, or one of {', '.join(LLMS)}")
    text = _text(origin)
    tensors = named(parts["llm_backbone"], _own, "llm_backbone.")
    rows = tensors.get("model.embed_tokens.weight")
    if rows is not None and len(rows) > text.vocab_size and len(rows) % PADDED_TO == 0:
        text.vocab_size = len(rows)
    return PrismaticSource(
        layout="prismatic",
        vision=_encoder(tuple(towers.values()), policy),
        text=text,
        encoder=parts["vision_backbone"],
        projector=named(parts["projector"], _layer, "projector."),
        llm=tensors or _read(origin, ""),
        projector_config=projector,
        settings={},
        tokenizer=origin,
        preprocessor="",
        towers=towers,
        given=encoders,
    )


def _known(model: Mapping[str, Any], key: str, table: Mapping[str, Any], name: str = "") -> Any:
    name = name or model[key]
    if name not in table:
        raise unknown(f"model.{key} of config.json", name, table)
    return table[name]


def _encoder(members: tuple[TimmEncoder, ...], policy: Any) -> EncoderConfig:
    if len(members) == 1:
        return members[0].model_copy(update={"image_policy": policy})
    return FusedEncoder(members=members, image_policy=policy)


def _text(origin: str) -> Any:
    """The LLM's configuration; its tokenizer must be there as well."""
    try:
        AutoTokenizer.from_pretrained(origin)
        return config_of(origin)
    except (OSError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise ConfigError(
            f"LLM {origin} cannot be read ({reason}): expected --llm FOLDER with its configuration"
            " and tokenizer"
        ) from error


def _own(name: str) -> str:
    if not name.startswith("llm."):
        raise ConfigError(f"llm: tensor {name} belongs to no place in the model")
    return name.removeprefix("llm.")


def _layer(name: str) -> str:
    """Prismatic's name of a projector's tensor in ours."""
    own = name.removeprefix("projector.")
    return f"layers.{own}" if own[:1].isdigit() else f"linear.{own}"


def _read(place: str, network: str) -> dict[str, Tensor]:
    """Tensors of a folder, a file or a hub id; timm's own of a network where nothing is named."""
    path = Path(place).expanduser()
    if place and path.is_file():
        return read_file(path)
    if place and path.is_dir():
        return read_folder(path)
    hub = place or str(getattr(timm.get_pretrained_cfg(network), "hf_hub_id", ""))
    option = "--encoder" if network else "--llm"
    try:
        found = snapshot_download(hub, allow_patterns=["*.safetensors", "*.bin"])
    except (OSError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise ConfigError(
            f"the checkpoint lacks weights that {hub} has, which cannot be had ({reason}):"
            f" expected {option} FOLDER" + (f" with those of timm's {network}" if network else "")
        ) from error
    return read_folder(Path(found))
