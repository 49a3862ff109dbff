"""k-shot answers about pictures in tiles, whose numbers of tokens differ."""

import json
import shutil
from pathlib import Path

import PIL.Image
import pytest
import torch

from tests.evaluation import test_runner
from vilax.data.decoding import header
from vilax.data.images import ImageTransform
from vilax.data.tiles import Anyres, InternvlTiling, TileTokens, Tiling
from vilax.evaluation.pictures import FilePicture
from vilax.evaluation.similarity import picture_similarity
from vilax.evaluation.subject import Subject
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel
from vilax.training.features import FeatureSource

ASPECTS = [(64, 64), (128, 64), (40, 90), (128, 128)]
TILINGS = {"anyres": Anyres(64, ((1, 2), (2, 1), (2, 2))), "internvl": InternvlTiling(64, 4)}

data = test_runner.data


@pytest.fixture(scope="module")
def uneven(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The micro world's evaluation data with pictures of several aspects."""
    folder = tmp_path_factory.mktemp("uneven") / "evaluation"
    shutil.copytree(data, folder)
    for number, file in enumerate(sorted(folder.rglob("images/*"))):
        picture = PIL.Image.open(file).convert("RGB").resize(ASPECTS[number % len(ASPECTS)])
        picture.save(file, "PNG")
    return folder


def subject_of(policy: str) -> Subject:
    tiling: Tiling = TILINGS[policy]
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 32,
        "max_position_embeddings": 512, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id, "initializer_range": 0.2,
    }  # fmt: skip
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    projector = LinearProjector(encoder.width, 32)
    if policy == "anyres":
        projector.add_newline(32)
    model = VisionLanguageModel(encoder, projector, llm).eval()
    transform = ImageTransform(64, "pad", encoder.mean, encoder.std, tiling=tiling)
    rule = TileTokens(tiling, model.tokens_per_view)
    return Subject(model, tokenizer, FeatureSource(encoder, transform, None, rule), rule)


@pytest.mark.parametrize("policy", TILINGS)
def test_answers_do_not_depend_on_the_batch(policy: str, uneven: Path, tmp_path: Path) -> None:
    subject = subject_of(policy)
    rule, asked = subject.tokens_per_image, []
    prompt = subject.prompts.prompt

    def watched(document, template):
        found = prompt(document, template)
        asked.append(found)
        return found

    subject.prompts.prompt = watched  # type: ignore[method-assign]
    _, rows = test_runner.run(subject, uneven, tmp_path / "a", batch=64)
    _, others = test_runner.run(subject, uneven, tmp_path / "b", batch=1)
    assert rows == others or _close(rows, others)
    assert all(row["prompt"].count("<image>") == row["k"] + 1
               for row in rows if row["task"] != "text_relation")  # fmt: skip
    spans = {}
    for one in asked:
        for key, span in zip(one.images, one.spans, strict=True):
            path = key.decode().removeprefix("file:")
            assert span == rule(header(Path(path).read_bytes())[1:])
            spans[span] = path
        assert (one.tokens == -200).sum() == sum(one.spans)
    assert len(spans) >= 3


def _close(rows: list[dict], others: list[dict]) -> bool:
    for row, same in zip(rows, others, strict=True):
        likely = row.pop("log_likelihoods", {})
        assert likely == pytest.approx(same.pop("log_likelihoods", {}), abs=1e-4)
    return rows == others


def test_a_broken_picture_fails_its_own_item(uneven: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    shutil.copytree(uneven, folder)
    whole, rows = test_runner.run(subject_of("internvl"), folder, tmp_path / "a", batch=64)
    item = next(row for row in rows if row["task"] == "caption")
    subject = subject_of("internvl")
    broken = _picture_of(item["id"], folder)
    broken.write_bytes(broken.read_bytes()[:20])
    _, after = test_runner.run(subject, folder, tmp_path / "b", batch=64)
    failed = [row["id"] for row in after if row["task"] == "caption" and "failed" in row]
    assert item["id"] in failed
    assert len(failed) < len([row for row in after if row["task"] == "caption"])
    assert whole["tasks"]["caption"]["items"] == 4


def _picture_of(name: str, folder: Path) -> Path:
    """The picture that an item shows."""
    lines = [line for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]
    items = [json.loads(line) for line in lines]
    return folder / next(one["image"] for one in items if one.get("id") == name)


def test_similar_pictures_are_found_by_all_their_views(uneven: Path) -> None:
    similar = picture_similarity(subject_of("anyres"))
    assert similar is not None
    files = [FilePicture(file) for file in sorted(uneven.rglob("images/*"))[:5]]
    found = similar(files)
    assert found.shape == (5, 1280)
    assert torch.allclose(found.norm(dim=-1), torch.ones(5), atol=1e-5)
    assert torch.allclose(found[2:3], similar(files[2:3]), atol=1e-6)
