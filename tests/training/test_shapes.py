"""A model's shapes without its weights are those of the model."""

import pytest
import torch
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

from tests.training.test_stage import TINY
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError
from vilax.training.build import build_model, build_transform
from vilax.training.shapes import blank_encoder, llm_width, shapes_of

ALL = ("encoder", "projector", "llm")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tiny CLIP vision tower."""
    folder = str(tmp_path_factory.mktemp("clip"))
    config = CLIPVisionConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        image_size=28, patch_size=14,
    )  # fmt: skip
    CLIPVisionModel(config).save_pretrained(folder)
    processor = CLIPImageProcessor(size=28, crop_size=28, image_mean=[0.1, 0.2, 0.3])
    processor.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["projector=downsample"],
        ["projector=mlp_downsample", "encoder.grid=3"],
        ["encoder.image_policy=crop", "encoder.grid=null"],
        ["encoder=CLIP", "encoder.class_token=true"],
        ["encoder=CLIP", "encoder.image_size=56", "projector=downsample"],
    ],
)
def test_shapes_are_the_models(words, clip) -> None:
    tiny = [word for word in TINY if "encoder=CLIP" not in words or "encoder." not in word]
    run = compose_run([*tiny, *(word.replace("CLIP", clip) for word in words)])
    model, _ = build_model(run, ALL, 0, torch.device("cpu"))
    shapes = shapes_of(run, ALL)
    assert shapes.tokens_per_image == model.tokens_per_view > 0
    assert shapes.transform == build_transform(run.encoder, model.encoder)
    assert {p.device.type for p in blank_encoder(run.encoder).parameters()} == {"meta"}
    assert llm_width(run.llm) == model.llm.width


def test_a_stage_without_encoder_has_no_pictures() -> None:
    shapes = shapes_of(compose_run(TINY), ("llm",))
    assert (shapes.tokens_per_image, shapes.transform) == (0, None)


def test_an_encoder_that_does_not_exist_is_a_bad_request() -> None:
    run = compose_run([*TINY, "encoder.name=no_such_network"])
    with pytest.raises(ConfigError, match="no_such_network"):
        shapes_of(run, ALL)
