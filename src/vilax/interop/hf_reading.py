"""Import of transformers' own folders of LLaVA and LLaVA-NeXT."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vilax.config.errors import ConfigError
from vilax.config.schema.model import Grid, MlpProjector, TransformersEncoder
from vilax.config.tile_rules import MOST_TILES
from vilax.interop.pictures import check_done, read_processor, whole_policy
from vilax.interop.reading import read_config
from vilax.interop.request import Request
from vilax.interop.source import Source
from vilax.interop.tensors import Tensors
from vilax.interop.weight_files import read_folder

NEWLINE = "image_newline"


def read_hf_llava(request: Request) -> Source:
    """``LlavaForConditionalGeneration``, of this or older releases.

    Raises:
        ConfigError: features of several layers, or an image processor that does what no transform
            here does; naming the key.
    """
    found, whole = _source(request, "transformers LLaVA")
    processor = _processor(request, found)
    found.settings = {
        **found.settings,
        "class_token": _keeps_class_token(whole.vision_feature_select_strategy, found),
        "image_policy": request.config.get("vilax_image_policy")
        or whole_policy(processor, found.vision.image_size),
    }
    return found


def read_hf_next(request: Request) -> Source:
    """``LlavaNextForConditionalGeneration``, of this or older releases: pictures in tiles.

    Raises:
        ConfigError: the newline is missing or misshapen, the grids are none of the encoder's tiles,
            the features of a tile are no grid, or the image processor does what no transform here
            does; naming tensor or key.
    """
    folder = request.path
    found, whole = _source(request, "transformers LLaVA-NeXT")
    width = found.text.hidden_size
    if "newline" not in found.projector:
        raise ConfigError(f"{folder}: tensor {NEWLINE} is missing")
    if found.projector["newline"].shape != (width,):
        shape = tuple(found.projector["newline"].shape)
        raise ConfigError(f"{folder}: tensor {NEWLINE} is {shape}, expected {(width,)}")
    if _keeps_class_token(whole.vision_feature_select_strategy, found):
        raise ConfigError(
            "vision_feature_select_strategy=full: it keeps the class token, and tiles"
            " (encoder.image_policy=anyres) are joined to a grid without one; expected default"
        )
    side = found.vision.image_size
    pinpoints = whole.image_grid_pinpoints
    _check_tiles(_processor(request, found), side, pinpoints)
    found.settings = {
        **found.settings,
        "class_token": False,
        "image_policy": "anyres",
        "pinpoints": _grids(pinpoints, side),
    }
    return found


def _source(request: Request, layout: str) -> tuple[Source, Any]:
    """Parts and layer, which both layouts say alike, and the configuration; the rest of the
    settings is the caller's."""
    folder = request.path
    whole = read_config(folder)
    _check_config(whole)
    parts = {part: Tensors() for part in ("encoder", "projector", "llm")}
    for name, tensor in read_folder(folder, request.tell).items():
        part, own = _own_name(name)
        parts[part].put(own, name, tensor)
    # The configuration of the whole is what transformers ties by.
    whole.text_config.tie_word_embeddings = whole.tie_word_embeddings
    source = Source(
        layout=layout,
        vision=whole.vision_config,
        text=whole.text_config,
        encoder=parts["encoder"],
        projector=parts["projector"],
        llm=parts["llm"],
        projector_config=MlpProjector(depth=2),
        settings={"layer": _layer(whole)},
        tokenizer=str(folder),
        preprocessor=str(folder),
        vocabulary=request.config.get("vilax_vocabulary"),
    )
    return source, whole


def _layer(whole: Any) -> int:
    """The layer whose features are read.

    Raises:
        ConfigError: it is not one of the encoder's.
    """
    layers = whole.vision_feature_layer
    layers = [layers] if isinstance(layers, int) else list(layers)
    if len(layers) != 1:
        raise ConfigError(
            f"vision_feature_layer={layers}: expected one layer; features of several, joined on"
            " channels, have no counterpart in vilax"
        )
    deepest = whole.vision_config.num_hidden_layers
    if not -deepest - 1 <= layers[0] <= deepest:
        raise ConfigError(
            f"vision_feature_layer={layers[0]}: the image encoder has {deepest} layers, expected"
            f" {-deepest - 1} to {deepest}"
        )
    return int(layers[0])


def _check_config(whole: Any) -> None:
    """Refuse what the projector or encoder has no counterpart for.

    Raises:
        ConfigError: naming the key.
    """
    if whole.projector_hidden_act != "gelu":
        raise ConfigError(f"projector_hidden_act={whole.projector_hidden_act}: expected gelu")
    if not whole.multimodal_projector_bias:
        raise ConfigError(
            "multimodal_projector_bias=false: expected true, as vilax's projector has biases; the"
            " same weights with biases of zero added answer alike"
        )
    if whole.vision_config.model_type == "pixtral":
        raise ConfigError(
            "vision_config.model_type=pixtral: it takes pictures of any aspect; expected an image"
            " encoder of one size, such as clip_vision_model or siglip_vision_model"
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


def _processor(request: Request, found: Source) -> Mapping[str, Any]:
    """The image processor's settings, which are ``--encoder``'s where the folder has none.

    Raises:
        ConfigError: there are none, or two.
    """
    processor = read_processor(request.path)
    if request.encoder is not None:
        if processor is not None:
            raise ConfigError(
                f"--encoder {request.encoder}: {request.path} has its image encoder and processor,"
                " expected neither of them twice"
            )
        processor = read_processor(Path(request.encoder))
        found.preprocessor = request.encoder
    if processor is None:
        raise ConfigError(
            f"{found.preprocessor} has no preprocessor_config.json: expected --encoder FOLDER with"
            " that of its image encoder"
        )
    return processor


def _keeps_class_token(strategy: str, found: Source) -> bool:
    """Whether the class token is a visual token; features before the patches are that or nothing.

    Raises:
        ConfigError: registers would be visual tokens, or the first patch be dropped for want of a
            class token.
    """
    if number := getattr(found.vision, "num_register_tokens", 0):
        raise ConfigError(
            f"vision_config.num_register_tokens={number}: transformers makes them visual tokens,"
            " vilax drops them; expected an image encoder without"
        )
    has_class = any("class_embedding" in name or "cls_token" in name for name in found.encoder)
    if strategy == "default" and not has_class:
        raise ConfigError(
            "vision_feature_select_strategy=default: it drops the first feature, and the image"
            " encoder has no class token; expected full"
        )
    return strategy == "full" and has_class


def _check_tiles(processor: Mapping[str, Any], side: int, pinpoints: object) -> None:
    """Refuse an image processor whose pixels would differ from those of a transform here.

    Padding is always black.

    Raises:
        ConfigError: naming the key that differs.
    """
    expected: dict[str, Any] = {"image_grid_pinpoints": pinpoints}
    sides = {"height": side, "width": side, "shortest_edge": side}
    for key in ("size", "crop_size"):
        given = processor.get(key)
        fits = {n: sides.get(n, v) for n, v in given.items()} if isinstance(given, dict) else side
        expected[key] = fits
    check_done(processor, expected)


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
