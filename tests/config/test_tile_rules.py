"""Pictures in tiles: what goes together, what does not, and what identities say."""

import pytest

from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError
from vilax.training.recipe import stage_inputs

ANYRES, INTERNVL = "encoder.image_policy=anyres", "encoder.image_policy=internvl"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encoder.image_policy=anyress"], ["encoder.image_policy='anyress'", "anyres, internvl"]),
        (["encoder=dinosiglip_384", ANYRES], ["image_policy='anyres'", "pad, resize, crop"]),
        (
            ["recipe=vila1_5_3b_s2", "scale=paper", ANYRES],
            ["encoder.image_policy=anyres", "encoder.scales=[384, 768]", "S2 has tiles"],
        ),
        (
            ["recipe=vila1_5_3b_s2", "scale=paper", INTERNVL],
            ["encoder.image_policy=internvl", "encoder.scales=[384, 768]"],
        ),
        ([ANYRES, "projector=resampler"], ["projector.kind=resampler", "learned queries"]),
        ([ANYRES, "projector=mlp_downsample"], ["mlp_downsample", "column by column"]),
        ([ANYRES, "encoder.grid=null", "encoder.class_token=true"], ["class_token=true", "tiles"]),
        ([ANYRES, "evaluation=video"], ["evaluation.tasks.", "shows videos", "pad, resize, crop"]),
        ([ANYRES, "encoder.max_tiles=6"], ["encoder.max_tiles=6", "only internvl reads it"]),
        (["encoder.max_tiles=6"], ["encoder.max_tiles=6", "image_policy=resize"]),
        (
            [INTERNVL, "encoder.pinpoints=[[1,2]]"],
            ["encoder.pinpoints=[[1, 2]]", "only anyres reads it"],
        ),
        ([INTERNVL, "encoder.max_tiles=0"], ["encoder.max_tiles=0", "at least 1 and at most 64"]),
        ([ANYRES, "encoder.pinpoints=[]"], ["encoder.pinpoints=[]", "not empty"]),
        ([ANYRES, "encoder.pinpoints=[[1,2,3]]"], ["encoder.pinpoints.0"]),
        ([ANYRES, "encoder.pinpoints=[[1,17]]"], ["encoder.pinpoints.0.1=17"]),
        ([ANYRES, "encoder.pinpoints=[[9,9]]"], ["[9, 9]", "at most 64 tiles"]),
        ([ANYRES, "encoder.pinpoints=[[1,2],[1,2]]"], ["[1, 2]", "once, not twice"]),
    ],
)
def test_what_does_not_go_together_is_named(words: list[str], said: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        compose_run(words)
    for word in said:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "words",
    [
        [ANYRES, "projector=average_pool"],
        [ANYRES, "encoder.pinpoints=[[1,2],[2,1]]", "projector=transformer"],
        [INTERNVL, "encoder.max_tiles=6", "projector=pixel_shuffle"],
        [INTERNVL, "projector=resampler", "projector.heads=8"],
        [INTERNVL, "projector=mlp_downsample"],
    ],
)
def test_what_goes_together_composes(words: list[str]) -> None:
    assert compose_run(words).encoder.image_policy in ("anyres", "internvl")


def encoder_of(*words: str) -> dict:
    run = compose_run(list(words))
    return stage_inputs(run, "align", with_data=False)["model"]["encoder"]  # type: ignore[no-any-return]


def test_identities_from_before_there_were_tiles_stay() -> None:
    """At their defaults the keys of tiles are not hashed; what they say is."""
    assert not {"pinpoints", "max_tiles"} & set(encoder_of())
    assert encoder_of(INTERNVL) == encoder_of() | {"image_policy": "internvl"}
    assert encoder_of(INTERNVL, "encoder.max_tiles=6")["max_tiles"] == 6
    assert encoder_of(ANYRES, "encoder.pinpoints=[[2,2]]")["pinpoints"] == [[2, 2]]
