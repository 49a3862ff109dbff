"""Import of VILA-1.5's layout: ``llm/``, ``vision_tower/`` and ``mm_projector/``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from vilax.config.errors import ConfigError
from vilax.config.schema.model import Encoder as EncoderConfig
from vilax.config.schema.model import IdentityProjector, TransformersEncoder
from vilax.interop.llava_reading import layer_name, llava_settings, projector_of, tower_tensors
from vilax.interop.pictures import write_colours
from vilax.interop.reading import encoder_config, read_config, read_json, readable
from vilax.interop.request import Request
from vilax.interop.source import Source
from vilax.interop.tensors import Tensors, named
from vilax.interop.weight_files import read_folder, weight_files
from vilax.models.internvit import InternVit, is_internvit


@dataclass
class InternVitSource(Source):
    """A model whose image encoder is an InternViT in its publishers' own layout."""

    def build_encoder(self) -> tuple[nn.Module, int]:
        """The image encoder and the width of its features.

        Raises:
            ConfigError: a tensor does not fit, naming it.
        """
        with readable("encoder"):
            encoder = InternVit.pretrained(self.preprocessor)
        return encoder, int(self.vision.hidden_size)

    def write_encoder(self, encoder: nn.Module, folder: Path) -> EncoderConfig:
        """Write what ``build_encoder`` gave; the configuration returned names it relatively."""
        assert isinstance(encoder, InternVit)
        encoder.publish(folder / "encoder")
        write_colours(self.preprocessor, folder / "encoder")
        return TransformersEncoder(source="./encoder", **self.settings)


def read_vila(request: Request) -> Source:
    """VILA-1.5's folder.

    Raises:
        ConfigError: a part is missing, or has what vilax has no counterpart for.
    """
    folder = request.path
    kind = read_json(folder / "mm_projector" / "config.json").get("mm_projector_type")
    projector_config = projector_of(str(kind))
    projector = Tensors()
    has_weights = weight_files(folder / "mm_projector")
    if has_weights or not isinstance(projector_config, IdentityProjector):
        for name, tensor in read_folder(folder / "mm_projector").items():
            own = name.removeprefix("layers.")
            number, _, rest = own.partition(".")
            if kind == "mlp_downsample" and number.isdigit():
                # Their first layer joins neighbours, and has no weights.
                own = f"{int(number) - 1}.{rest}"
            projector.put(layer_name(own), name, tensor)
    tower = request.encoder or str(folder / "vision_tower")
    if not request.encoder and not Path(tower).is_dir():
        raise ConfigError(f"{folder} has no vision_tower/: expected --encoder FOLDER")
    is_intern = is_internvit(tower)
    with readable(f"image encoder {tower}"):
        vision: Any = InternVit.blank(tower).config if is_intern else encoder_config(tower)
    settings = llava_settings(request.config, vision)
    _check_resolution(request, vision)
    parts: dict[str, Any] = {
        "layout": "VILA-1.5",
        "vision": vision,
        "text": read_config(folder / "llm"),
        "projector": projector,
        "llm": named(read_folder(folder / "llm", request.tell)),
        "projector_config": projector_config,
        "settings": settings,
        "tokenizer": str(folder / "llm"),
        "preprocessor": tower,
    }
    if is_intern:
        return InternVitSource(encoder={}, **parts)
    return Source(encoder=tower_tensors(tower, request.tell), **parts)


def _check_resolution(request: Request, vision: Any) -> None:
    """VILA can read pictures at another size than the weights'.

    Raises:
        ConfigError: it does.
    """
    side = request.config.get("vision_resolution", -1)
    own = vision.image_size
    own = own[0] if isinstance(own, list | tuple) else own
    if side not in (None, -1, own):
        raise ConfigError(
            f"vision_resolution={side}: expected -1, or the {own} pixels of vision_tower/; train"
            f" from the import with encoder.image_size={side}"
        )
