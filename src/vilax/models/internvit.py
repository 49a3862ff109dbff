"""InternViT from its published files, without the code that they bring."""

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import InternVLVisionConfig, InternVLVisionModel

from vilax.models.architecture import facts, packaged

SMALL_FILES = ("config.json", "preprocessor_config.json")


def is_internvit(source: str) -> bool:
    """Whether a folder or hub id is an InternViT in its publishers' own layout."""
    path = Path(source).expanduser()
    if not path.is_dir():
        return source.partition("/")[2].startswith("InternViT")
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") == "intern_vit_6b"


class InternVit(InternVLVisionModel):
    """InternViT as transformers' own InternVL vision model (the same network, renamed)."""

    @classmethod
    def blank(cls, source: str) -> "InternVit":
        """Random weights by the configuration of a folder or hub id."""
        if not Path(source).expanduser().is_dir() and source in packaged():
            return cls(vision_config(facts(source)["config"]))
        return cls(vision_config(_config(_folder(source, SMALL_FILES))))

    @classmethod
    def pretrained(cls, source: str) -> "InternVit":
        """Weights of a folder or hub id, in fp32.

        Raises:
            ValueError: a tensor is missing, superfluous or misshapen, naming it.
            OSError: there are no weights.
        """
        folder = _folder(source, (*SMALL_FILES, "*.safetensors"))
        config = vision_config(_config(folder))
        tensors: dict[str, Tensor] = {}
        for file in sorted(folder.glob("*.safetensors")):
            tensors |= load_file(file)
        if not tensors:
            raise OSError(f"{source} has no .safetensors file")
        with torch.device("meta"):
            net = cls(config)
        renamed = rename(tensors)
        own = net.state_dict()
        for name in own:
            if name not in renamed:
                raise ValueError(f"{source} has no tensor {name}")
        for name, tensor in renamed.items():
            if name not in own:
                raise ValueError(f"{source} has a tensor {name} that the model does not")
            if tensor.shape != own[name].shape:
                wanted = tuple(own[name].shape)
                raise ValueError(f"{source}: tensor {name} is {tuple(tensor.shape)}, not {wanted}")
        net.load_state_dict({n: t.float() for n, t in renamed.items()}, assign=True)
        return net

    def publish(self, folder: Path) -> None:
        """Write configuration and weights in their publishers' layout, as ``pretrained`` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        config = json.dumps(published_config(self.config), indent=2)
        (folder / "config.json").write_text(config, encoding="utf-8")
        save_file(unrename(self.state_dict()), folder / "model.safetensors", {"format": "pt"})


def _folder(source: str, patterns: tuple[str, ...]) -> Path:
    path = Path(source).expanduser()
    return path if path.is_dir() else Path(snapshot_download(source, allow_patterns=[*patterns]))


def _config(folder: Path) -> dict[str, Any]:
    theirs: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return theirs


def vision_config(theirs: dict[str, Any]) -> Any:
    """Their configuration in transformers' words."""
    return InternVLVisionConfig(
        hidden_size=theirs["hidden_size"],
        num_hidden_layers=theirs["num_hidden_layers"],
        num_attention_heads=theirs["num_attention_heads"],
        intermediate_size=theirs["intermediate_size"],
        attention_bias=theirs.get("qkv_bias", False),
        use_qk_norm=theirs.get("qk_normalization", True),
        hidden_act=theirs.get("hidden_act", "gelu"),
        norm_type=theirs.get("norm_type", "rms_norm"),
        layer_norm_eps=theirs.get("layer_norm_eps", 1e-6),
        image_size=[theirs["image_size"]] * 2,
        patch_size=[theirs["patch_size"]] * 2,
        layer_scale_init_value=theirs.get("initializer_factor", 0.1),
        use_absolute_position_embeddings=True,
        use_mask_token=False,
        use_mean_pooling=True,
    )


def published_config(config: Any) -> dict[str, Any]:
    """Transformers' configuration in their words; what is not in them is the same for all."""
    return {
        "model_type": "intern_vit_6b",
        "architectures": ["InternVisionModel"],
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size,
        "qkv_bias": config.attention_bias,
        "qk_normalization": config.use_qk_norm,
        "hidden_act": config.hidden_act,
        "norm_type": config.norm_type,
        "layer_norm_eps": config.layer_norm_eps,
        "image_size": config.image_size[0],
        "patch_size": config.patch_size[0],
        "initializer_factor": config.layer_scale_init_value,
    }


def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors under transformers' names; a joint qkv becomes three."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = name
        for theirs, ours in NAMES:
            new = new.replace(theirs, ours)
        if ".attn.qkv." in new:
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                found[new.replace(".attn.qkv.", f".attention.{part}_proj.")] = piece.contiguous()
        else:
            found[new] = tensor
    return found


def unrename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """``rename`` backwards."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if ".attention.q_proj." in name:
            parts = (name.replace(".q_proj.", f".{part}_proj.") for part in "qkv")
            tensor = torch.cat([tensors[part] for part in parts])
            name = name.replace(".attention.q_proj.", ".attn.qkv.")
        elif ".attention.k_proj." in name or ".attention.v_proj." in name:
            continue
        for theirs, ours in NAMES:
            name = name.replace(ours, theirs)
        found[name] = tensor.detach().contiguous()
    return found


NAMES = (
    ("embeddings.class_embedding", "embeddings.cls_token"),
    ("embeddings.patch_embedding.", "embeddings.patch_embeddings.projection."),
    ("embeddings.position_embedding", "embeddings.position_embeddings"),
    ("encoder.layers.", "encoder.layer."),
    (".attn.proj.", ".attention.projection_layer."),
    (".attn.q_norm.", ".attention.q_norm."),
    (".attn.k_norm.", ".attention.k_norm."),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
    (".ls1", ".lambda_1"),
    (".ls2", ".lambda_2"),
)
"""Their part of a name, and transformers'."""
