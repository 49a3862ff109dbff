"""Stages on pictures in tiles, by the command: cached or not, in workers or not, the same."""

import json
from pathlib import Path

import PIL.Image
import pytest
import torch

from tests.data.bad.pictures import encoded, noise
from tests.data.test_video import write
from tests.training.test_stage import TINY, losses, weights
from vilax.ablation.subject import find_result
from vilax.artifacts.store import Entry, Store
from vilax.cli.main import main
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError
from vilax.config.locate import store_dir
from vilax.data.tiles import TileTokens
from vilax.planning.hardware import find_gpu
from vilax.planning.plan import Machine, plan_stage
from vilax.training.shapes import shapes_of

SIZES = [(64, 64), (128, 64), (64, 128), (190, 60), (128, 128)]
POLICIES = ("anyres", "internvl")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions about pictures of several aspects, and some without."""
    folder = tmp_path_factory.mktemp("corpus")
    records = []
    for number in range(40):
        turns = [
            {"from": "human", "value": "<image>\nwhat is this ?"},
            {"from": "gpt", "value": ("a dog", "a cat")[number % 2]},
        ]
        record = {"id": str(number), "conversations": turns}
        if number % 8:
            size = SIZES[number % len(SIZES)]
            picture = noise(number).resize(size, PIL.Image.Resampling.BICUBIC)
            (folder / f"{number}.png").write_bytes(encoded(picture, "PNG"))
            record["image"] = f"{number}.png"
        else:
            turns[0]["value"] = "what is a dog ?"
        records.append(record)
    (folder / "data.json").write_text(json.dumps(records))
    return folder / "data.json"


def words_of(corpus: Path, policy: str) -> list[str]:
    blend = "stages.sft.blend.corpora={" + f"{corpus}: 1" + "}"
    return [*TINY, "order=[sft]", blend, "stages.sft.length=200", "logger=disabled",
            f"encoder.image_policy={policy}", "stages.sft.budget={tokens: 1500}"]  # fmt: skip


def trained(place: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> Entry:
    monkeypatch.setenv("VILAX_OUTPUTS", str(place))
    assert main(["train", *words]) == 0
    (entry,) = Store(store_dir()).entries()
    return entry


@pytest.mark.parametrize("policy", POLICIES)
def test_features_pixels_and_workers_train_the_same(
    policy: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of(corpus, policy)
    cached = trained(tmp_path / "cached", monkeypatch, words)
    pixels = trained(tmp_path / "pixels", monkeypatch, [*words, "features.cache=false"])
    workers = [*words, "features.cache=false", "trainer.workers=2"]
    apart = trained(tmp_path / "apart", monkeypatch, workers)
    assert len({entry.identity for entry in (cached, pixels, apart)}) == 1
    assert losses(cached) == pytest.approx(losses(pixels), rel=1e-4)
    first, second = weights(pixels), weights(apart)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert ("projector/newline" in first) == (policy == "anyres")
    rows = [json.loads(line) for line in (pixels.folder / "metrics.jsonl").open()]
    assert rows[-1]["images"] > 0
    # What was trained is asked and shown: tokens of a prompt follow from the picture's size.
    run, stage, _ = find_result(str(pixels.folder))
    rule = shapes_of(run, run.stages[stage].parts).tokens_per_image
    assert isinstance(rule, TileTokens)
    assert rule((64, 64)) < rule((128, 64))


def test_a_trained_result_is_exported_as_vilax_alone(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    entry = trained(tmp_path / "o", monkeypatch, words_of(corpus, "anyres"))
    out = tmp_path / "out"
    assert main(["export", str(entry.folder), "--format", "vilax", "--to", str(out)]) == 0
    run = find_result(str(out))[0]
    assert run.encoder.image_policy == "anyres"
    capsys.readouterr()
    for layout in ("hf-llava", "llava", "vila"):
        words = ["export", str(entry.folder), "--format", layout, "--to", str(tmp_path / "no")]
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "image_policy=anyres reads pictures in tiles" in said
        assert "--format vilax can" in said
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_plan_counts_the_views_that_the_data_have(
    policy: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    machine = Machine(1, find_gpu("a100-80g"), 1.0, 0.4)
    # Pictures whose features are kept go through the encoder 16 views at a time, however many.
    tiled, whole = (
        plan_stage(compose_run([*words_of(corpus, each), "features.cache=false"]), "sft", machine)
        for each in (policy, "pad")
    )
    assert whole.mix.views == 1
    rule = shapes_of(compose_run(words_of(corpus, policy)), ("encoder", "projector", "llm"))
    sizes = [rule.tokens_per_image.tiling.views(size) for size in SIZES]
    assert min(sizes) < tiled.mix.views < max(sizes)
    assert tiled.mix.document > whole.mix.document
    assert tiled.memory.encoder > whole.memory.encoder


def test_frames_of_videos_are_not_cut(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "o"))
    with pytest.raises(ConfigError, match="every frame would be cut into tiles"):
        compose_run([*words_of(corpus, "anyres"), "evaluation=video"])
    write(tmp_path / "a.mp4", frames=12)
    turns = [
        {"from": "human", "value": "what is this ?"},
        {"from": "gpt", "value": "a dog"},
    ]
    records = [{"video": "a.mp4", "conversations": turns}] * 4
    (tmp_path / "videos.json").write_text(json.dumps(records))
    assert main(["train", *words_of(tmp_path / "videos.json", "internvl")]) == 2
    said = capsys.readouterr().err
    assert "image_policy=internvl" in said and "videos.json" in said and "shows videos" in said
