"""Folders of models as others write them, small and of random weights."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from vilax.micro.tokenizer import build_tokenizer

IMAGE = 4
SIDE = 28
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
CLIP = CLIPVisionConfig(**SIZES, image_size=SIDE, patch_size=14, projection_dim=16)


def text_config(architecture: Any, **more: Any) -> Any:
    """An LLM's configuration, for the micro world's tokenizer."""
    sizes = SIZES | {"num_key_value_heads": 2, "max_position_embeddings": 1024, "head_dim": 8}
    tokens = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return architecture(**sizes | tokens | {"vocab_size": len(build_tokenizer())} | more)


def save_hf(
    folder: Path, text: Any, vision: Any = CLIP, **more: Any
) -> LlavaForConditionalGeneration:
    """A LLaVA of transformers; what its files are told of, such as ``max_shard_size``, in
    ``saving``."""
    saving = more.pop("saving", {})
    torch.manual_seed(1)
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE, **more)
    model = LlavaForConditionalGeneration(config).eval()
    for parameter in model.parameters():
        # Away from zero and from one, so that nothing goes by unnoticed.
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder, **saving)
    build_tokenizer().save_pretrained(folder)
    save_processor(folder)
    return model


def save_processor(folder: Path, **more: Any) -> None:
    """CLIP's image processor, of small pictures."""
    square = {"height": SIDE, "width": SIDE}
    CLIPImageProcessor(
        **{"size": {"shortest_edge": SIDE}, "crop_size": square} | more
    ).save_pretrained(folder)


def save_llava(folder: Path, text: Any, model_type: str, **config: Any) -> dict[str, torch.Tensor]:
    """LLaVA's own layout without the vision tower, which lies beside it; its tensors."""
    torch.manual_seed(2)
    net = AutoModelForCausalLM.from_config(text)
    CLIPVisionModel(CLIP).save_pretrained(folder / "tower")
    save_processor(folder / "tower")
    tensors = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for name in ("0", "2"):
        tensors[f"model.mm_projector.{name}.weight"] = torch.randn(32, 32)
        tensors[f"model.mm_projector.{name}.bias"] = torch.randn(32)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    llava = {
        "model_type": model_type,
        "mm_vision_tower": "tower",
        "mm_projector_type": "mlp2x_gelu",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_use_im_start_end": False,
        "image_aspect_ratio": "pad",
    }
    (folder / "config.json").write_text(json.dumps(text.to_dict() | llava | config))
    build_tokenizer().save_pretrained(folder)
    return tensors


def save_vila(folder: Path, text: Any, vision: Any, width: int = 32, **config: Any) -> None:
    """VILA-1.5's layout with an MLP; ``vision`` writes the vision tower into a folder."""
    torch.manual_seed(3)
    AutoModelForCausalLM.from_config(text).save_pretrained(folder / "llm")
    build_tokenizer().save_pretrained(folder / "llm")
    vision(folder / "vision_tower")
    save_processor(folder / "vision_tower")
    shapes = {"0.weight": (32, width), "0.bias": (32,), "2.weight": (32, 32), "2.bias": (32,)}
    (folder / "mm_projector").mkdir()
    save_file(
        {f"layers.{name}": torch.randn(shape) for name, shape in shapes.items()},
        folder / "mm_projector" / "model.safetensors",
        {"format": "pt"},
    )
    edit(folder / "mm_projector" / "config.json", mm_projector_type="mlp2x_gelu")
    vila = {
        "model_type": "llava_llama",
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -2,
        "image_aspect_ratio": "resize",
        "vision_resolution": -1,
        "s2": False,
        "s2_scales": "336,672,1008",
    }
    edit(folder / "config.json", **vila | config)


def edit(file: Path, **changes: Any) -> None:
    """Change keys of a JSON file; a dot in one leads into a mapping."""
    content = json.loads(file.read_text()) if file.exists() else {}
    for key, value in changes.items():
        *path, last = key.split(".")
        place = content
        for step in path:
            place = place[step]
        place[last] = value
    file.write_text(json.dumps(content))
