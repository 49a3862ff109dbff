"""What image processors of checkpoints do to pictures, in the words of ``image_policy``."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, CLIPImageProcessor

from vilax.config.errors import ConfigError
from vilax.interop.reading import read_json, readable
from vilax.models.architecture import facts, packaged

FILES = ("preprocessor_config.json", "processor_config.json")

DONE: Mapping[str, Any] = {
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
    "resample": 3,
}
"""What is done to every picture, by the keys of transformers' processors (3: bicubic)."""


def read_processor(folder: Path) -> dict[str, Any] | None:
    """Settings of a folder's image processor; None where it has none.

    Raises:
        ConfigError: the file cannot be read.
    """
    for name in FILES:
        if (folder / name).is_file():
            found = read_json(folder / name)
            inner = found.get("image_processor", found)
            if "image_mean" in inner or "image_processor_type" in inner or "size" in inner:
                return dict(inner)
    return None


def whole_policy(processor: Mapping[str, Any], side: int) -> str:
    """The ``image_policy`` that does what a processor does to whole pictures.

    Args:
        processor: its settings.
        side: of the square that the encoder takes, in pixels.

    Raises:
        ConfigError: no policy does, naming the key that differs.
    """
    check_done(processor)
    size, crops = processor.get("size", side), processor.get("do_center_crop")
    pads = bool(processor.get("do_pad"))
    shown = f"size={size} do_center_crop={crops} do_pad={pads}"
    if not isinstance(size, Mapping):
        size = {"shortest_edge": size} if crops else {"height": size, "width": size}
    given = {name: value for name, value in size.items() if value is not None}
    if set(given.values()) != {side}:
        raise ConfigError(f"size={processor.get('size')} of the image processor: {_needs(side)}")
    crop = processor.get("crop_size", side)
    if crops and set(crop.values() if isinstance(crop, Mapping) else [crop]) != {side}:
        raise ConfigError(f"crop_size={crop} of the image processor: {_needs(side)}")
    if set(given) == {"height", "width"} and not pads:
        return "resize"
    if set(given) == {"shortest_edge"} and (pads or crops):
        return "pad" if pads else "crop"
    raise ConfigError(f"{shown} of the image processor: {_needs(side)}")


def _needs(side: int) -> str:
    return (
        f"expected squares of the image encoder's {side} pixels, by size"
        f" {{height: {side}, width: {side}}} (encoder.image_policy=resize), or by size"
        f" {{shortest_edge: {side}}} with do_center_crop (crop) or do_pad (pad)"
    )


def check_done(processor: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> None:
    """Refuse an image processor whose pixels would differ from those of a transform here.

    Mean and deviation may be any.

    Args:
        processor: its settings.
        more: what is to hold beside ``DONE``.

    Raises:
        ConfigError: naming the key that differs.
    """
    for key, value in {**DONE, **(more or {})}.items():
        given = processor.get(key, value)
        is_near = isinstance(value, float) and math.isclose(float(given or 0), value, rel_tol=1e-6)
        if given is None or given == value or is_near:
            continue
        raise ConfigError(
            f"{key}={given} of the image processor: expected {value}, which is what vilax does to"
            " pictures of this model"
        )


def write_colours(place: str, folder: Path) -> None:
    """Write the mean and deviation of an image processor; size and cut are the run's affair.

    Args:
        place: folder or hub id of the processor.
        folder: of the encoder, gets ``preprocessor_config.json``.

    Raises:
        ConfigError: it cannot be read.
    """
    if not Path(place).is_dir() and place in packaged():
        known = facts(place)["preprocessor"]
        colours = known["image_mean"], known["image_std"]
    else:
        with readable(f"image processor of {place}", "expected preprocessor_config.json"):
            processor: Any = AutoImageProcessor.from_pretrained(place, use_fast=False)
            colours = processor.image_mean, processor.image_std
    CLIPImageProcessor(image_mean=list(colours[0]), image_std=list(colours[1])).save_pretrained(
        folder
    )
