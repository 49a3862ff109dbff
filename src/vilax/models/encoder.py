"""Image encoders: one adapter for timm, one for transformers, none per family."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import timm
import torch
from jaxtyping import Float
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn
from transformers import AutoConfig, AutoImageProcessor
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from vilax.models.architecture import config_of, facts, packaged
from vilax.models.encoder_weights import load_renamed, read_tensors
from vilax.models.internvit import InternVit, is_internvit

Colours = tuple[float, ...]
"""A number per channel, on values in 0..1."""


class Encoder(nn.Module):
    """Pictures to a grid of features.

    Attributes:
        net: the pre-trained network.
        image_size: side of the square input, in pixels.
        width: channels of a feature.
        tokens: features per picture.
        side: features along one side of the grid (without a class token).
        mean, std: normalisation that the weights were made with, on values in 0..1.
    """

    net: nn.Module
    image_size: int
    width: int
    tokens: int
    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __init__(self, layer: int, class_token: bool, grid: int | None) -> None:
        super().__init__()
        if class_token and grid is not None:
            raise ValueError("a class token cannot be kept when the grid is pooled")
        self.layer = layer
        self.class_token = class_token
        self.grid = grid

    def forward(
        self, pixels: Float[Tensor, "images 3 size size"]
    ) -> Float[Tensor, "images tokens width"]:
        """Features of normalised pictures, row by row from the upper left corner."""
        features = self._features(pixels)
        return features if self.grid is None else pooled(features, self.grid)

    def _features(self, pixels: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} does not say how to compute features")

    def blocks(self) -> Iterator[nn.Module]:
        """Repeated blocks of the network, each a unit of sharding."""
        lists = [m for m in self.net.modules() if isinstance(m, nn.ModuleList | nn.Sequential)]
        largest = max(lists, key=len, default=None)
        if largest is not None:
            yield from largest

    def _measure(self) -> None:
        """Read width and token count off a forward pass of shapes only."""
        was_training = self.training
        self.eval()
        device = next(self.net.parameters()).device
        with torch.no_grad():
            shape = self(torch.zeros(1, 3, self.image_size, self.image_size, device=device)).shape
        self.train(was_training)
        self.tokens, self.width = int(shape[1]), int(shape[2])
        self.side = int((self.tokens - (1 if self.class_token else 0)) ** 0.5)


class TimmEncoder(Encoder):
    """Any timm network with ``forward_intermediates``.

    Args:
        name: timm architecture, with weight tag where timm's own weights are wanted.
        weights: empty for timm's own; ``random``; a ``.safetensors`` or ``.pth`` file; or
            ``package:NAME`` for the weight file inside an installed package.
        image_size: side of the square input, in pixels; position embeddings are interpolated.
            None: what the weights were made with.
        layer: block whose output is used; -1 of a convolutional network is its final features.
        class_token: keep the class token first.
        grid: average-pool to grid x grid tokens; None keeps the network's own grid.
        mean, std: normalisation; None: what the weights were made with.

    Raises:
        ValueError: the weights do not fit the architecture, naming the tensor.
    """

    def __init__(
        self,
        name: str,
        weights: str = "",
        image_size: int | None = None,
        layer: int = -2,
        class_token: bool = False,
        grid: int | None = None,
        mean: Colours | None = None,
        std: Colours | None = None,
    ) -> None:
        super().__init__(layer, class_token, grid)
        options: dict[str, Any] = {"num_classes": 0}
        if image_size is not None and _takes_size(name):
            options["img_size"] = image_size
        self.net = timm.create_model(name, pretrained=not weights, **options)
        if weights and weights != "random":
            load_renamed(self.net, read_tensors(weights))
        data = resolve_model_data_config(self.net)
        self.image_size = image_size or int(data["input_size"][-1])
        self.mean, self.std = tuple(mean or data["mean"]), tuple(std or data["std"])
        self._measure()

    def _features(self, pixels: Tensor) -> Tensor:
        prefix = int(getattr(self.net, "num_prefix_tokens", 0))
        if not hasattr(self.net, "patch_embed"):
            if self.layer == -1:
                image = self.net.forward_features(pixels)  # type: ignore[operator]
            else:
                image = self.net.forward_intermediates(  # type: ignore[operator]
                    pixels, indices=[self.layer], intermediates_only=True
                )[0]
            return image.flatten(2).transpose(1, 2)  # type: ignore[no-any-return]
        out = self.net.forward_intermediates(  # type: ignore[operator]
            pixels,
            indices=[self.layer],
            return_prefix_tokens=True,
            output_fmt="NLC",
            norm=False,
            intermediates_only=True,
        )[0]
        # Networks without prefix tokens give the patches alone.
        patches, prefixes = out if isinstance(out, tuple | list) else (out, out[:, :0])
        if self.class_token and prefix:
            return torch.cat([prefixes[:, :1], patches], dim=1)
        return patches  # type: ignore[no-any-return]


def _takes_size(name: str) -> bool:
    """Whether a timm architecture has weights that depend on the picture's size."""
    return any(word in name for word in ("vit", "eva", "deit", "beit", "swin"))


class TransformersEncoder(Encoder):
    """The vision half of CLIP, SigLIP, DINO and kin from transformers, or InternViT.

    Args:
        source: hub id or local folder.
        image_size: side of the square input, in pixels; None takes the weights' own.
        layer: index into ``hidden_states`` (-2 is LLaVA's and VILA's choice).
        class_token: keep the class token first, where there is one.
        grid: average-pool to grid x grid tokens; None keeps the network's own grid.
        mean, std: normalisation; None: what the weights were made with.
        blank: random weights: the configuration alone is read.

    Raises:
        ValueError: the weights do not fit the architecture, naming the tensor; or the network does
            not take square pictures.
    """

    def __init__(
        self,
        source: str,
        image_size: int | None = None,
        layer: int = -2,
        class_token: bool = False,
        grid: int | None = None,
        mean: Colours | None = None,
        std: Colours | None = None,
        blank: bool = False,
    ) -> None:
        super().__init__(layer, class_token, grid)
        config: Any
        if is_internvit(source):
            self.net = InternVit.blank(source) if blank else InternVit.pretrained(source)
            config = self.net.config
        else:
            whole = config_of(source) if blank else AutoConfig.from_pretrained(source)
            config = getattr(whole, "vision_config", whole)
            if config.model_type == "siglip2_vision_model":
                raise ValueError(
                    f"{source} takes pictures of any aspect (NaFlex): expected a SigLIP 2 of one"
                    " size, such as google/siglip2-so400m-patch14-384"
                )
            architecture: Any = MODEL_MAPPING[type(config)]
            self.net = architecture(config) if blank else _loaded(architecture, source, config)
        if mean is None or std is None:
            usual = _colours(source, blank)
            mean, std = mean or usual[0], std or usual[1]
        self.mean, self.std = tuple(mean), tuple(std)
        self.native_size, self.patch = _side(config.image_size), _side(config.patch_size)
        self.image_size = image_size or self.native_size
        parameters = inspect.signature(self.net.forward).parameters
        self._interpolates = "interpolate_pos_encoding" in parameters
        self._measure()

    def _features(self, pixels: Tensor) -> Tensor:
        options: dict[str, Any] = {}
        if self._interpolates:
            # Others (DINO) interpolate without being asked.
            options["interpolate_pos_encoding"] = self.image_size != self.native_size
        out = self.net(pixel_values=pixels, output_hidden_states=True, **options)
        hidden: Tensor = out.hidden_states[self.layer]
        prefix = hidden.shape[1] - (self.image_size // self.patch) ** 2
        if self.class_token and prefix:
            # Registers, where there are some, stand between class token and patches.
            return torch.cat([hidden[:, :1], hidden[:, prefix:]], dim=1)
        return hidden[:, prefix:]


def _colours(source: str, blank: bool) -> tuple[Colours, Colours]:
    """Mean and standard deviation that the weights were made with."""
    if blank and not Path(source).expanduser().is_dir() and source in packaged():
        usual = facts(source)["preprocessor"]
        return tuple(usual["image_mean"]), tuple(usual["image_std"])
    processor = AutoImageProcessor.from_pretrained(source, use_fast=False)
    return tuple(processor.image_mean), tuple(processor.image_std)


def _side(size: Any) -> int:
    return int(size[0] if isinstance(size, tuple | list) else size)


def _loaded(architecture: Any, source: str, config: Any) -> nn.Module:
    net, info = architecture.from_pretrained(
        source, config=config, dtype=torch.float32, output_loading_info=True
    )
    # A pooling head is not part of every file, and no feature depends on it.
    missing = sorted(name for name in info["missing_keys"] if "head" not in name)
    if missing:
        raise ValueError(f"{source} has no tensor {missing[0]} of {architecture.__name__}")
    return net  # type: ignore[no-any-return]


def pooled(
    features: Float[Tensor, "images tokens width"], grid: int
) -> Float[Tensor, "images fewer width"]:
    """Features of a square grid, averaged to grid x grid."""
    side = int(features.shape[1] ** 0.5)
    image = features.transpose(1, 2).unflatten(2, (side, side))
    return nn.functional.adaptive_avg_pool2d(image, grid).flatten(2).transpose(1, 2)
