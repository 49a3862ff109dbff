"""Import of LLaVA's own layout (github.com/haotian-liu/LLaVA) and of its projector alone.

One state dict: ``model.mm_projector.*``, the LLM by transformers' names, and the vision tower's
where it was trained; VILA's first release is the same. ``config.json`` is the LLM's with ``mm_...``
keys.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from vilax.config.errors import ConfigError
from vilax.config.schema.model import (
    IdentityProjector,
    LinearProjector,
    MlpDownsampleProjector,
    MlpProjector,
    Projector,
)
from vilax.interop.progress import Tell
from vilax.interop.reading import encoder_config, local, read_config, readable, refuse_quantised
from vilax.interop.request import Request
from vilax.interop.source import Source
from vilax.interop.tensors import Tensors, named
from vilax.interop.weight_files import SUFFIXES, read_file, read_folder

POLICIES = {"pad": "pad", "square": "crop", "resize": "resize", None: "crop"}
"""``image_policy`` by LLaVA's ``image_aspect_ratio``."""

KINDS = {
    "": ("", "llama"),
    "qwen": ("self_attn.q_norm", "qwen3", "qwen2"),
    "gemma": ("pre_feedforward_layernorm", "gemma2", "gemma"),
    "phi": ("self_attn.qkv_proj", "phi3", "phi"),
    "mistral": ("block_sparse_moe", "mixtral", "mistral"),
}
"""Where LLaVA's ``model_type`` leaves open which of a family the LLM is: a piece of a tensor's
name, the ``model_type`` of transformers if there is one of it, and the one if not."""


def read_llava(request: Request) -> Source:
    """LLaVA-1.5's own layout, and VILA's of its first release.

    Raises:
        ConfigError: it is in tiles, quantised, or has what vilax has no counterpart for.
    """
    refuse_quantised(request.config, request.path)
    parts = parts_of(read_folder(request.path, request.tell))
    text = text_config(request.config, parts["llm"])
    return llava_source(request, "LLaVA", parts, text, str(request.path))


def parts_of(tensors: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensors]:
    """Tensors of LLaVA's state dict by the part that they belong to.

    Args:
        tensors: by their names in the files.
        prefix: before LLaVA's names, where there is one.

    Raises:
        ConfigError: there are tiles.
    """
    parts = {part: Tensors() for part in ("encoder", "projector", "llm")}
    for name, tensor in tensors.items():
        own = name.removeprefix(prefix).removeprefix("model.")
        if own == "image_newline":
            raise ConfigError(
                f"tensor {name}: of this layout tiles (AnyRes) are not imported; expected the same"
                " model in transformers' (model_type llava_next)"
            )
        if own.startswith("mm_projector."):
            parts["projector"].put(layer_name(own.removeprefix("mm_projector.")), name, tensor)
        elif own.startswith("vision_tower."):
            own = own.removeprefix("vision_tower.").removeprefix("vision_tower.")
            parts["encoder"].put(own.removeprefix("vision_model."), name, tensor)
        else:
            parts["llm"].put(name.removeprefix(prefix), name, tensor)
    return parts


def llava_source(
    request: Request, layout: str, parts: Mapping[str, Tensors], text: Any, tokenizer: str
) -> Source:
    """A model of LLaVA's keys.

    Args:
        request: what was asked for.
        layout: name of the layout, for messages.
        parts: tensors by part; without those of the encoder, they come from where it is named.
        text: configuration of the LLM.
        tokenizer: folder of the tokenizer.

    Raises:
        ConfigError: a key asks for what vilax has no counterpart for.
    """
    config = request.config
    tower = request.encoder or str(config.get("mm_vision_tower") or "")
    if tower and (request.path / tower).is_dir():
        tower = str(request.path / tower)
    vision = encoder_config(tower)
    return Source(
        layout=layout,
        vision=vision,
        text=text,
        encoder=parts["encoder"] or tower_tensors(tower, request.tell),
        projector=parts["projector"],
        llm=parts["llm"],
        projector_config=projector_of(str(config.get("mm_projector_type", "linear"))),
        settings=llava_settings(config, vision),
        tokenizer=tokenizer,
        preprocessor=tower,
    )


def text_config(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Any:
    """The LLM's configuration, out of LLaVA's."""
    given = str(config.get("model_type") or "")
    kind = given.removeprefix("llava_").removeprefix("llava")
    if kind in KINDS:
        piece, *kinds = KINDS[kind]
        kind = kinds[0] if any(piece in name for name in tensors) else kinds[-1]
    if kind not in CONFIG_MAPPING:
        raise ConfigError(
            f"model_type={given}: transformers knows no LLM {kind!r}; expected llava_ and a"
            " model_type of transformers, such as llava_llama or llava_qwen2"
        )
    known = {k: v for k, v in config.items() if not k.startswith(("mm_", "model_type"))}
    with readable("config.json"):
        return CONFIG_MAPPING[kind](**known)


def llava_settings(config: Mapping[str, Any], vision: Any) -> dict[str, Any]:
    """Layer, class token and image policy, out of LLaVA's ``config.json``.

    Raises:
        ConfigError: a key asks for what vilax has no counterpart for.
    """
    aspect = config.get("image_aspect_ratio", "square")
    if aspect not in POLICIES:
        raise ConfigError(
            f"image_aspect_ratio={aspect}: expected pad, square or resize; tiles are imported"
            " of transformers' layout (model_type llava_next)"
        )
    if config.get("mm_use_im_start_end"):
        raise ConfigError(
            "mm_use_im_start_end=true: pictures stand between tokens of their own, for which"
            " vilax's prompts have no place; expected false"
        )
    if kind := config.get("mm_resampler_type"):
        raise ConfigError(f"mm_resampler_type={kind}: expected none")
    feature = config.get("mm_vision_select_feature", "patch")
    if feature not in ("patch", "cls_patch"):
        raise ConfigError(f"mm_vision_select_feature={feature}: expected patch or cls_patch")
    layer = config.get("mm_vision_select_layer", -2)
    deepest = vision.num_hidden_layers
    if not isinstance(layer, int) or not -deepest - 1 <= layer <= deepest:
        raise ConfigError(
            f"mm_vision_select_layer={layer}: expected one of the image encoder's layers,"
            f" {-deepest - 1} to {deepest}"
        )
    scales = _scales(config, vision)
    return {
        "layer": layer,
        "class_token": feature == "cls_patch" and not str(vision.model_type).startswith("siglip"),
        "image_policy": POLICIES[aspect],
        **({"scales": scales} if scales else {}),
    }


def _scales(config: Mapping[str, Any], vision: Any) -> tuple[int, ...]:
    """Sides of S2, in pixels; none without S2.

    Raises:
        ConfigError: they are no multiples of the encoder's own size.
    """
    if not config.get("s2"):
        return ()
    given = config.get("s2_scales", "")
    words = given.split(",") if isinstance(given, str) else list(given)
    side = _side(vision.image_size)
    try:
        scales = tuple(sorted(int(word) for word in words))
    except (TypeError, ValueError):
        scales = ()
    split = config.get("s2_max_split_size", side)
    if len(scales) < 2 or scales[0] != side or any(s % side for s in scales) or split != side:
        raise ConfigError(
            f"s2_scales={given} s2_max_split_size={split}: expected two sides or more, the smallest"
            f" (and the split) the image encoder's {side} pixels, the others multiples of it"
        )
    return scales


def _side(size: Any) -> int:
    return int(size[0] if isinstance(size, list | tuple) else size)


def layer_name(own: str) -> str:
    """LLaVA's names of a projector's tensors in ours: ``0.weight`` or, of one layer, ``weight``."""
    return f"layers.{own}" if own[0].isdigit() else f"linear.{own}"


def projector_of(kind: str) -> Projector:
    """The projector of LLaVA's ``mm_projector_type``.

    Raises:
        ConfigError: there is none.
    """
    if kind == "linear":
        return LinearProjector()
    if kind == "identity":
        return IdentityProjector()
    if kind == "mlp_downsample":
        return MlpDownsampleProjector()
    if found := re.fullmatch(r"mlp(\d+)x_gelu", kind):
        return MlpProjector(depth=int(found[1]))
    raise ConfigError(
        f"mm_projector_type={kind}: expected linear, identity, mlp_downsample or mlpNx_gelu"
    )


def tower_tensors(tower: str, tell: Tell) -> Tensors:
    """Tensors of an image encoder's folder or hub id.

    Raises:
        ConfigError: they cannot be had.
    """
    found = Tensors()
    for name, tensor in read_folder(local(tower, "--encoder"), tell).items():
        if not name.startswith(("text_model.", "logit_", "text_projection", "visual_projection")):
            found.put(name.removeprefix("vision_model."), name, tensor)
    return found


def read_projector(request: Request) -> Source:
    """A projector alone: ``mm_projector.bin``, or any file with its tensors.

    Raises:
        ConfigError: the LLM is not named, or a tensor is no projector's.
    """
    path, config = request.path, request.config
    file = path if path.is_file() else path / "mm_projector.bin"
    if file.suffix not in SUFFIXES:
        raise ConfigError(f"{file}: expected a folder, or a file of a projector's weights")
    projector = Tensors()
    for name, tensor in read_file(file).items():
        own = name.rpartition("mm_projector.")[2]
        if not re.fullmatch(r"(\d+\.)?(weight|bias)", own):
            raise ConfigError(
                f"{file}: tensor {name} is no projector's: expected mm_projector.0.weight and the"
                " like; a whole model is imported by its folder"
            )
        projector.put(layer_name(own), name, tensor)
    if request.llm is None:
        raise ConfigError(f"{path} is a projector alone: expected --llm FOLDER as well")
    depth = sum(name.endswith("weight") for name in projector)
    kind = "linear" if "linear.weight" in projector else f"mlp{depth}x_gelu"
    tower = request.encoder or str(config.get("mm_vision_tower") or "")
    vision = encoder_config(tower)
    llm = local(request.llm, "--llm")
    return Source(
        layout="LLaVA projector",
        vision=vision,
        text=read_config(llm),
        encoder=tower_tensors(tower, request.tell),
        projector=projector,
        llm=named(read_folder(llm, request.tell)),
        projector_config=projector_of(str(config.get("mm_projector_type", kind))),
        settings=llava_settings(config, vision),
        tokenizer=str(llm),
        preprocessor=tower,
    )
