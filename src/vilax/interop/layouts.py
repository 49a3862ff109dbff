"""The layouts that are imported, told apart by what a folder holds."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from vilax.config.errors import ConfigError
from vilax.config.schema.model import (
    IdentityProjector,
    LinearProjector,
    MlpDownsampleProjector,
    MlpProjector,
    Projector,
)
from vilax.interop.hf_reading import read_hf_llava, read_hf_next
from vilax.interop.prismatic import is_prismatic, read_prismatic
from vilax.interop.source import Source, read_json
from vilax.interop.tensors import read_file, read_folder
from vilax.models.architecture import config_of


def read_source(
    path: Path, encoders: Sequence[str] = (), llm: str | None = None
) -> tuple[str, Source]:
    """Read a checkpoint, its layout told by its content; gives the layout's name as well.

    Args:
        path: a folder, or a file ``mm_projector.bin``.
        encoders: folder or hub id of the image encoder, instead of what the checkpoint names; one
            for each of prismatic's joined networks.
        llm: folder or hub id of the LLM, for a projector alone or a run of prismatic.

    Raises:
        ConfigError: it is of no known layout, or cannot be read.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such folder or file")
    folder = path if path.is_dir() else path.parent
    has_config = (folder / "config.json").is_file()
    config = read_json(folder / "config.json") if has_config else {}
    if path.is_dir() and is_prismatic(config):
        return "prismatic", read_prismatic(folder, config, encoders, llm)
    if len(encoders) > 1:
        raise ConfigError(f"--encoder given {len(encoders)} times: expected one image encoder")
    encoder = encoders[0] if encoders else None
    if path.is_file() or (folder / "mm_projector.bin").is_file():
        if llm is None:
            raise ConfigError(f"{path} is a projector alone: expected --llm FOLDER as well")
        file = path if path.is_file() else folder / "mm_projector.bin"
        return "LLaVA projector", _projector_alone(file, config, encoder, llm)
    if not has_config:
        raise ConfigError(f"{path} has no config.json: expected one of {LAYOUTS}")
    for name, (is_it, read) in READERS.items():
        if is_it(folder, config):
            return name, read(folder, config, encoder)
    raise ConfigError(
        f"{path} is of no known layout (model_type {config.get('model_type')!r}): expected one of"
        f" {LAYOUTS}"
    )


def _llava(folder: Path, config: dict[str, Any], encoder: str | None) -> Source:
    """LLaVA-1.5's own layout, and VILA's of its first release: one state dict."""
    tower = encoder or config.get("mm_vision_tower") or ""
    local = folder / tower
    tower = str(local) if tower and local.is_dir() else str(tower)
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "projector": {}, "llm": {}}
    for name, tensor in read_folder(folder).items():
        own = name.removeprefix("model.")
        if own == "image_newline":
            raise ConfigError(
                f"{folder} has image_newline: of this layout tiles (AnyRes) are not imported;"
                " expected the same model in transformers' (model_type llava_next)"
            )
        if own.startswith("mm_projector."):
            parts["projector"][_layers(own.removeprefix("mm_projector."))] = tensor
        elif own.startswith("vision_tower."):
            own = own.removeprefix("vision_tower.").removeprefix("vision_tower.")
            parts["encoder"][own.removeprefix("vision_model.")] = tensor
        else:
            parts["llm"][name] = tensor
    vision = _vision_config(tower)
    if not parts["encoder"]:
        parts["encoder"] = _tower_tensors(tower)
    kind = str(config["model_type"]).removeprefix("llava_").removeprefix("llava") or "llama"
    kind = {"qwen": "qwen2", "gemma": "gemma2"}.get(kind, kind)
    if kind not in CONFIG_MAPPING:
        raise ConfigError(f"model_type={config['model_type']}: transformers knows no LLM {kind!r}")
    known = {k: v for k, v in config.items() if not k.startswith(("mm_", "model_type"))}
    return Source(
        layout="LLaVA",
        vision=vision,
        text=CONFIG_MAPPING[kind](**known),
        encoder=parts["encoder"],
        projector=parts["projector"],
        llm=parts["llm"],
        projector_config=_projector(str(config.get("mm_projector_type", "linear"))),
        settings=_llava_settings(config, vision),
        tokenizer=str(folder),
        preprocessor=tower,
    )


def _llava_settings(config: Mapping[str, Any], vision: Any) -> dict[str, Any]:
    aspect = config.get("image_aspect_ratio", "square")
    policies = {"pad": "pad", "square": "crop", "resize": "resize", None: "crop"}
    if aspect not in policies:
        raise ConfigError(
            f"image_aspect_ratio={aspect}: expected pad, square or resize; tiles are imported"
            " of transformers' layout (model_type llava_next)"
        )
    return {
        "layer": int(config.get("mm_vision_select_layer", -2)),
        "class_token": config.get("mm_vision_select_feature", "patch") == "cls_patch"
        and not str(vision.model_type).startswith("siglip"),
        "image_policy": policies[aspect],
    }


def _layers(own: str) -> str:
    """LLaVA's names of a projector's tensors in ours: ``0.weight`` or, of one layer, ``weight``."""
    return f"layers.{own}" if own[0].isdigit() else f"linear.{own}"


def _projector(kind: str) -> Projector:
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


def _vision_config(tower: str) -> Any:
    if not tower:
        raise ConfigError("the checkpoint names no image encoder: expected --encoder FOLDER")
    try:
        whole = config_of(tower)
    except (OSError, ValueError) as error:
        raise ConfigError(f"image encoder {tower} cannot be read (--encoder): {error}") from error
    return getattr(whole, "vision_config", whole)


def _tower_tensors(tower: str) -> dict[str, Tensor]:
    path = Path(tower)
    if not path.is_dir():
        from huggingface_hub import snapshot_download

        try:
            path = Path(snapshot_download(tower))
        except OSError as error:
            raise ConfigError(f"image encoder {tower} (--encoder): {error}") from error
    found = {}
    for name, tensor in read_folder(path).items():
        if not name.startswith(("text_model.", "logit_", "text_projection", "visual_projection")):
            found[name.removeprefix("vision_model.")] = tensor
    return found


def _vila(folder: Path, config: dict[str, Any], encoder: str | None) -> Source:
    """VILA-1.5: ``llm/``, ``vision_tower/`` and ``mm_projector/``."""
    kind = read_json(folder / "mm_projector" / "config.json").get("mm_projector_type")
    projector = {}
    for name, tensor in read_folder(folder / "mm_projector").items():
        own = name.removeprefix("layers.")
        if kind == "mlp_downsample":
            number, _, rest = own.partition(".")
            # Their first layer joins neighbours, and has no weights.
            own = f"{int(number) - 1}.{rest}"
        projector[_layers(own)] = tensor
    tower = encoder or str(folder / "vision_tower")
    vision = _vision_config(tower)
    return Source(
        layout="VILA-1.5",
        vision=vision,
        text=AutoConfig.from_pretrained(folder / "llm"),
        encoder=_tower_tensors(tower),
        projector=projector,
        llm=read_folder(folder / "llm"),
        projector_config=_projector(str(kind)),
        settings=_llava_settings(config, vision),
        tokenizer=str(folder / "llm"),
        preprocessor=tower,
    )


def _projector_alone(file: Path, config: dict[str, Any], encoder: str | None, llm: str) -> Source:
    tower = encoder or config.get("mm_vision_tower") or ""
    projector = {}
    for name, tensor in read_file(file).items():
        projector[_layers(name.partition("mm_projector.")[2])] = tensor
    depth = sum(name.endswith("weight") for name in projector)
    kind = "linear" if "linear.weight" in projector else f"mlp{depth}x_gelu"
    if not Path(llm).is_dir():
        raise ConfigError(f"--llm {llm}: no such folder")
    vision = _vision_config(tower)
    return Source(
        layout="LLaVA projector",
        vision=vision,
        text=AutoConfig.from_pretrained(llm),
        encoder=_tower_tensors(tower),
        projector=projector,
        llm=read_folder(Path(llm)),
        projector_config=_projector(str(config.get("mm_projector_type", kind))),
        settings=_llava_settings(config, vision),
        tokenizer=llm,
        preprocessor=tower,
    )


Reader = Callable[[Path, dict[str, Any], str | None], Source]

READERS: dict[str, tuple[Callable[[Path, dict[str, Any]], bool], Reader]] = {
    "transformers LLaVA": (
        lambda folder, config: config.get("model_type") == "llava" and "vision_config" in config,
        read_hf_llava,
    ),
    "transformers LLaVA-NeXT": (
        lambda folder, config: (
            config.get("model_type") == "llava_next" and "vision_config" in config
        ),
        read_hf_next,
    ),
    "VILA-1.5": (
        lambda folder, config: (folder / "llm").is_dir() and (folder / "mm_projector").is_dir(),
        _vila,
    ),
    "LLaVA": (
        lambda folder, config: "mm_vision_tower" in config or "mm_projector_type" in config,
        _llava,
    ),
}
"""Layout by name: whether a folder has it, and its reader."""

LAYOUTS = ", ".join([*READERS, "prismatic"])
