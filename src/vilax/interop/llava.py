"""Export to LLaVA-1.5's own layout: one state dict, and the vision tower beside it."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from vilax.artifacts.files import write_json
from vilax.config.schema.model import (
    IdentityProjector,
    LinearProjector,
    MlpDownsampleProjector,
    MlpProjector,
    Projector,
)
from vilax.interop.model import Exported, Inexpressible
from vilax.interop.tensors import tensors_of

KINDS = {"llama": "llava_llama", "mistral": "llava_mistral", "qwen2": "llava_qwen"}
"""Names that LLaVA's and its heirs' code give their model types; of others ``llava_`` is put
before transformers' name."""
ASPECT = {"pad": "pad", "crop": "square", "resize": "resize"}


def write_llava(exported: Exported, folder: Path) -> None:
    """Write the state dict, ``config.json``, tokenizer and ``vision_tower/``.

    Raises:
        Inexpressible: the layout has no such projector or encoder.
    """
    tower = exported.tower()
    tensors: dict[str, Tensor] = tensors_of(exported.model.llm.net)
    tensors |= projector_tensors(exported)
    for name, tensor in tower.net.state_dict().items():
        key = f"model.vision_tower.vision_tower.vision_model.{name}"
        tensors[key] = tensor.contiguous()
    config = llava_config(exported, "vision_tower")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    write_json(folder / "config.json", config)
    exported.tokenizer.save_pretrained(folder)
    tower.net.save_pretrained(folder / "vision_tower")  # type: ignore[operator]
    exported.processor().save_pretrained(folder / "vision_tower")


def projector_tensors(exported: Exported) -> dict[str, Tensor]:
    """The projector's tensors by LLaVA's names, as in ``mm_projector.bin``."""
    assert exported.model.projector is not None
    found = {}
    for name, tensor in exported.model.projector.state_dict().items():
        own = name.removeprefix("layers.").removeprefix("linear.")
        found[f"model.mm_projector.{own}"] = tensor.contiguous()
    return found


def llava_config(exported: Exported, tower_name: str) -> dict[str, Any]:
    """LLaVA's ``config.json``: the LLM's with how pictures come in.

    Args:
        exported: the model.
        tower_name: where the vision tower is.

    Raises:
        Inexpressible: LLaVA has no such projector or encoder.
    """
    tower, prefix = exported.tower(), exported.prefix()
    if prefix > 1:
        raise Inexpressible(f"the tower has {prefix} tokens before its patches, it drops one")
    net: Any = exported.model.llm.net
    kind = str(net.config.model_type)
    config: dict[str, Any] = net.config.to_dict() | {
        "model_type": KINDS.get(kind, f"llava_{kind}"),
        "architectures": [f"Llava{type(net).__name__}"],
        "mm_vision_tower": tower_name,
        "mm_projector_type": projector_kind(exported.run.projector),
        "mm_hidden_size": tower.width,
        "mm_vision_select_layer": tower.layer,
        "mm_vision_select_feature": "patch" if prefix and not tower.class_token else "cls_patch",
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "image_aspect_ratio": ASPECT[exported.run.encoder.image_policy],
        "use_mm_proj": True,
    }
    return config


def projector_kind(projector: Projector, joins: bool = False) -> str:
    """LLaVA's name of a projector; ``joins``: VILA's that joins neighbours is known too.

    Raises:
        Inexpressible: it has none.
    """
    if isinstance(projector, LinearProjector | IdentityProjector):
        return projector.kind
    if isinstance(projector, MlpProjector):
        return f"mlp{projector.depth}x_gelu"
    if isinstance(projector, MlpDownsampleProjector) and projector.factor == 2:
        if joins:
            return "mlp_downsample"
        raise Inexpressible("mlp_downsample is VILA's alone, which --format vila has")
    raise Inexpressible(f"it knows no projector {projector.kind}")
