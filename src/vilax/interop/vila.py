"""Export to VILA-1.5's layout: ``llm/``, ``vision_tower/``, ``mm_projector/``."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from vilax.artifacts.files import write_json
from vilax.config.schema.model import MlpDownsampleProjector
from vilax.interop.llava import ASPECT, projector_kind
from vilax.interop.model import Exported, Inexpressible

DTYPE = "float32"


def write_vila(exported: Exported, folder: Path) -> None:
    """Write the three parts, each with a configuration of its own, and the one that joins them.

    Raises:
        Inexpressible: VILA-1.5 has no such projector or encoder.
    """
    tower, prefix = exported.tower(), exported.prefix()
    if prefix > 1:
        raise Inexpressible(f"the tower has {prefix} tokens before its patches, it drops one")
    kind = projector_kind(exported.run.projector, joins=True)
    llm: Any = exported.model.llm.net
    llm.save_pretrained(folder / "llm")
    exported.tokenizer.save_pretrained(folder / "llm")
    tower.net.save_pretrained(folder / "vision_tower")  # type: ignore[operator]
    exported.processor().save_pretrained(folder / "vision_tower")
    projector = {"model_type": "v2l_projector", "mm_projector_type": kind}
    (folder / "mm_projector").mkdir()
    save_file(_tensors(exported), folder / "mm_projector" / "model.safetensors", {"format": "pt"})
    write_json(
        folder / "mm_projector" / "config.json",
        projector | {"architectures": ["MultimodalProjector"], "torch_dtype": DTYPE},
    )
    vision: Any = tower.net.config
    family = str(llm.config.model_type)
    write_json(
        folder / "config.json",
        {
            "model_type": f"llava_{family}",
            "architectures": [f"Llava{family.capitalize()}Model"],
            "llm_cfg": llm.config.to_dict(),
            "vision_tower_cfg": vision.to_dict(),
            "mm_projector_cfg": projector,
            "hidden_size": exported.model.llm.width,
            "mm_hidden_size": tower.width,
            "mm_projector": kind,
            "mm_vision_select_layer": tower.layer,
            "mm_vision_select_feature": "patch"
            if prefix and not tower.class_token
            else "cls_patch",
            "mm_use_im_start_end": False,
            "mm_use_im_patch_token": False,
            "image_aspect_ratio": ASPECT[exported.run.encoder.image_policy],
            "vision_resolution": -1,
            "interpolate_mode": "linear",
            "resume_path": "",
            "tune_language_model": True,
            "tune_mm_projector": True,
            "tune_vision_tower": True,
            "model_dtype": f"torch.{DTYPE}",
        },
    )


def _tensors(exported: Exported) -> dict[str, Tensor]:
    """The projector's tensors by VILA's names: of ``mlp_downsample`` its first layer, which joins
    neighbours and has no weights, is counted."""
    assert exported.model.projector is not None
    shift = int(isinstance(exported.run.projector, MlpDownsampleProjector))
    found = {}
    for name, tensor in exported.model.projector.state_dict().items():
        own = name
        if name.startswith("layers."):
            _, number, rest = name.split(".", 2)
            own = f"layers.{int(number) + shift}.{rest}"
        elif name.startswith("linear."):
            own = f"layers.{name.removeprefix('linear.')}"
        found[own] = tensor.contiguous()
    return found
