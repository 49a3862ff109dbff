"""Image encoders: one adapter for timm, one for transformers, none per family."""

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import timm
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn
from transformers import AutoConfig, AutoImageProcessor
from transformers.models.auto.modeling_auto import MODEL_MAPPING


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
        if self.grid is None:
            return features
        side = int(features.shape[1] ** 0.5)
        image = features.transpose(1, 2).unflatten(2, (side, side))
        pooled = nn.functional.adaptive_avg_pool2d(image, self.grid)
        return pooled.flatten(2).transpose(1, 2)

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
        layer: block whose output is used; -1 of a convolutional network is its final features.
        class_token: keep the class token first.
        grid: average-pool to grid x grid tokens; None keeps the network's own grid.

    Raises:
        ValueError: the weights do not fit the architecture, naming the tensor.
    """

    def __init__(
        self,
        name: str,
        weights: str = "",
        image_size: int = 224,
        layer: int = -2,
        class_token: bool = False,
        grid: int | None = None,
    ) -> None:
        super().__init__(layer, class_token, grid)
        options: dict[str, Any] = {"num_classes": 0}
        is_transformer = "vit" in name or "eva" in name or "deit" in name
        if is_transformer:
            options["img_size"] = image_size
        self.net = timm.create_model(name, pretrained=not weights, **options)
        if weights and weights != "random":
            load_renamed(self.net, read_tensors(weights))
        self.image_size = image_size
        data = resolve_model_data_config(self.net)
        self.mean, self.std = tuple(data["mean"]), tuple(data["std"])
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


class TransformersEncoder(Encoder):
    """The vision half of CLIP, SigLIP and kin from transformers.

    Args:
        source: hub id or local folder.
        image_size: side of the square input, in pixels; None takes the weights' own.
        layer: index into ``hidden_states`` (-2 is LLaVA's and VILA's choice).
        class_token: keep the class token first, where there is one.
        grid: average-pool to grid x grid tokens; None keeps the network's own grid.
    """

    def __init__(
        self,
        source: str,
        image_size: int | None = None,
        layer: int = -2,
        class_token: bool = False,
        grid: int | None = None,
    ) -> None:
        super().__init__(layer, class_token, grid)
        whole = AutoConfig.from_pretrained(source)
        config = getattr(whole, "vision_config", whole)
        architecture: Any = MODEL_MAPPING[type(config)]
        self.net = self._net(architecture, source, config)
        processor = AutoImageProcessor.from_pretrained(source, use_fast=False)
        self.mean, self.std = tuple(processor.image_mean), tuple(processor.image_std)
        self.native_size = int(config.image_size)
        self.patch = int(config.patch_size)
        self.image_size = image_size or self.native_size
        self._measure()

    def _net(self, architecture: Any, source: str, config: Any) -> nn.Module:
        net: nn.Module = architecture.from_pretrained(source, config=config)
        return net

    def _features(self, pixels: Tensor) -> Tensor:
        resized = self.image_size != self.native_size
        out = self.net(
            pixel_values=pixels, output_hidden_states=True, interpolate_pos_encoding=resized
        )
        hidden: Tensor = out.hidden_states[self.layer]
        prefix = hidden.shape[1] - (self.image_size // self.patch) ** 2
        return hidden if self.class_token else hidden[:, prefix:]


def read_tensors(weights: str) -> dict[str, Tensor]:
    """Tensors of a weight file, or of the one weight file in an installed package.

    Args:
        weights: path to ``.safetensors``, ``.pth`` or ``.pt``, or ``package:NAME``.

    Raises:
        ValueError: no such package, or not exactly one weight file in it.
    """
    if weights.startswith("package:"):
        package = weights.removeprefix("package:")
        try:
            root = Path(str(resources.files(package)))
        except ModuleNotFoundError as error:
            raise ValueError(f"package {package!r} of encoder.weights is not installed") from error
        found = sorted(root.rglob("*.pth")) + sorted(root.rglob("*.safetensors"))
        if len(found) != 1:
            raise ValueError(f"package {package!r} holds {len(found)} weight files, expected one")
        weights = str(found[0])
    if weights.endswith(".safetensors"):
        return load_file(weights)
    tensors: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    return tensors


def load_renamed(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load weights by name or, where a port renamed every module, by order.

    By order means: after the classifier is left out, both sides list equally many tensors whose
    shapes and last name components (weight, bias, running_mean ...) agree one by one.

    Raises:
        ValueError: naming the first tensor that does not fit.
    """
    own = net.state_dict()
    if set(own) <= set(tensors):
        net.load_state_dict({name: tensors[name] for name in own})
        return
    theirs = list(tensors.items())[: len(own)]
    if len(theirs) < len(own):
        raise ValueError(f"the weights hold {len(theirs)} tensors, the encoder needs {len(own)}")
    renamed: dict[str, Tensor] = {}
    for (name, tensor), (wanted, target) in zip(theirs, own.items(), strict=True):
        same_role = name.rsplit(".", 1)[-1] == wanted.rsplit(".", 1)[-1]
        if not same_role or tensor.shape != target.shape:
            raise ValueError(
                f"tensor {name} {tuple(tensor.shape)} does not fit {wanted} {tuple(target.shape)}"
            )
        renamed[wanted] = tensor
    net.load_state_dict(renamed)
