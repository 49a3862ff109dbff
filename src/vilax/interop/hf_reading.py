"""Import of transformers' own folders of LLaVA and LLaVA-NeXT."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor
from transformers import AutoConfig

from vilax.config.errors import ConfigError
from vilax.config.schema.model import Grid, MlpProjector, TransformersEncoder
from vilax.config.tile_rules import MOST_TILES
from vilax.interop.source import Source, read_json
from vilax.interop.tensors import read_folder

NEWLINE = "image_newline"

DONE = {
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
    "resample": 3,
}
"""What is done to every picture in tiles, by the keys of transformers' processor (3: bicubic)."""


def read_hf_llava(folder: Path, config: dict[str, Any], encoder: str | None) -> Source:
    """``LlavaForConditionalGeneration``, of this or older releases.

    Raises:
        ConfigError: features of several layers, or no image processor.
    """
    processor = _processor(folder)
    found = _source(folder, config, "transformers LLaVA")
    strategy = AutoConfig.from_pretrained(folder).vision_feature_select_strategy
    has_class = hasattr(found.vision, "projection_dim")
    found.settings = {
        **found.settings,
        "class_token": strategy == "full" and has_class,
        "image_policy": config.get("vilax_image_policy") or _policy(processor),
    }
    return found


def read_hf_next(folder: Path, config: dict[str, Any], encoder: str | None) -> Source:
    """``LlavaNextForConditionalGeneration``, of this or older releases: pictures in tiles.

    Raises:
        ConfigError: the newline is missing or misshapen, the grids are none of the encoder's tiles,
            the features of a tile are no grid, or the image processor does what no transform here
            does; naming tensor or key.
    """
    found = _source(folder, config, "transformers LLaVA-NeXT")
    width = found.text.hidden_size
    if "newline" not in found.projector:
        raise ConfigError(f"{folder}: tensor {NEWLINE} is missing")
    if found.projector["newline"].shape != (width,):
        shape = tuple(found.projector["newline"].shape)
        raise ConfigError(f"{folder}: tensor {NEWLINE} is {shape}, expected {(width,)}")
    whole = AutoConfig.from_pretrained(folder)
    _check_strategy(whole.vision_feature_select_strategy, found.encoder)
    side = found.vision.image_size
    pinpoints = whole.image_grid_pinpoints
    _check_processor(_processor(folder), side, pinpoints)
    found.settings = {
        **found.settings,
        "class_token": False,
        "image_policy": "anyres",
        "pinpoints": _grids(pinpoints, side),
    }
    return found


def _source(folder: Path, config: Mapping[str, Any], layout: str) -> Source:
    """Parts and layer, which both layouts say alike; the rest of the settings is the caller's."""
    whole = AutoConfig.from_pretrained(folder)
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "projector": {}, "llm": {}}
    for name, tensor in read_folder(folder).items():
        part, own = _own_name(name)
        if own in parts[part]:
            raise ConfigError(f"{folder} has the tensor {name} once more, by an older name")
        parts[part][own] = tensor
    layer = whole.vision_feature_layer
    if not isinstance(layer, int):
        raise ConfigError(f"vision_feature_layer={layer}: expected one layer, not several")
    if whole.projector_hidden_act != "gelu":
        raise ConfigError(f"projector_hidden_act={whole.projector_hidden_act}: expected gelu")
    return Source(
        layout=layout,
        vision=whole.vision_config,
        text=whole.text_config,
        encoder=parts["encoder"],
        projector=parts["projector"],
        llm=parts["llm"],
        projector_config=MlpProjector(depth=2),
        settings={"layer": layer},
        tokenizer=str(folder),
        preprocessor=str(folder),
        vocabulary=config.get("vilax_vocabulary"),
    )


def _own_name(name: str) -> tuple[str, str]:
    """Part and own name of a tensor, of this or older releases of transformers."""
    name = name.removeprefix("model.")
    if name == NEWLINE:
        return "projector", "newline"
    if name.startswith("vision_tower."):
        return "encoder", name.removeprefix("vision_tower.").removeprefix("vision_model.")
    if name.startswith("multi_modal_projector."):
        own = name.removeprefix("multi_modal_projector.")
        return "projector", own.replace("linear_1", "layers.0").replace("linear_2", "layers.2")
    own = name.removeprefix("language_model.")
    return "llm", own if own.startswith(("model.", "lm_head.")) else f"model.{own}"


def _processor(folder: Path) -> dict[str, Any]:
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            found = read_json(folder / name)
            inner: dict[str, Any] = found.get("image_processor", found)
            return inner
    raise ConfigError(f"{folder} has no preprocessor_config.json")


def _policy(processor: Mapping[str, Any]) -> str:
    if processor.get("do_pad"):
        return "pad"
    return "crop" if "shortest_edge" in processor.get("size", {}) else "resize"


def _check_strategy(strategy: str, encoder: Mapping[str, Tensor]) -> None:
    """Tiles are joined to a grid, so that their features must be a grid and nothing more or less.

    Raises:
        ConfigError: a class token would be kept, or the first feature dropped for want of one.
    """
    has_class = any("class_embedding" in name or "cls_token" in name for name in encoder)
    if strategy == "full" and has_class:
        raise ConfigError(
            "vision_feature_select_strategy=full: it keeps the class token, and tiles"
            " (encoder.image_policy=anyres) are joined to a grid without one; expected default"
        )
    if strategy == "default" and not has_class:
        raise ConfigError(
            "vision_feature_select_strategy=default: it drops the first feature, and the image"
            " encoder has no class token; expected full"
        )


def _check_processor(processor: Mapping[str, Any], side: int, pinpoints: object) -> None:
    """Refuse an image processor whose pixels would differ from those of a transform here.

    Mean and deviation may be any, and padding is always black.

    Raises:
        ConfigError: naming the key that differs.
    """
    expected = DONE | {"image_grid_pinpoints": pinpoints}
    sides = {"height": side, "width": side, "shortest_edge": side}
    for key in ("size", "crop_size"):
        given = processor.get(key)
        fits = {n: sides.get(n, v) for n, v in given.items()} if isinstance(given, dict) else side
        expected[key] = fits
    for key, value in expected.items():
        given = processor.get(key, value)
        if given is None or given == value:
            continue
        raise ConfigError(
            f"{key}={given} of the image processor: expected {value}, which is what"
            " encoder.image_policy=anyres does to pictures of this model"
        )


def _grids(pinpoints: Any, side: int) -> tuple[Grid, ...]:
    """Grids of tiles, as rows and columns, of sizes in pixels, as height and width.

    Raises:
        ConfigError: a size is none of tiles, or of too many.
    """
    found = []
    for pair in pinpoints:
        height, width = pair
        if height % side or width % side:
            raise ConfigError(
                f"image_grid_pinpoints: {list(pair)} (height, width): expected multiples of the"
                f" image encoder's {side} pixels"
            )
        if height * width > MOST_TILES * side * side:
            raise ConfigError(
                f"image_grid_pinpoints: {list(pair)}: expected at most {MOST_TILES} tiles of"
                f" {side} pixels"
            )
        found.append((height // side, width // side))
    try:
        # Of grids that fit as well the first is taken: one that comes again is never.
        return TransformersEncoder(pinpoints=tuple(dict.fromkeys(found))).pinpoints
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ConfigError(f"image_grid_pinpoints={pinpoints}: {reason}") from error
