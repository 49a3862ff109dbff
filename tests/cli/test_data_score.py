"""``vilax data score`` writes what a model's own forward gives, also after a stop."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
)

from tests.data.writers import page, picture, write_lines, write_pairs
from vilax.cli.main import main
from vilax.data import clip_scores
from vilax.data.decoding import decode
from vilax.data.formats import open_corpus

WORDS = [f"w{n}" for n in range(12)]


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    names = ["<pad>", "<bos>", "<eos>", "<unk>", *WORDS]
    model = Tokenizer(WordLevel({name: n for n, name in enumerate(names)}, unk_token="<unk>"))
    model.pre_tokenizer = Whitespace()
    tokens = PreTrainedTokenizerFast(
        tokenizer_object=model,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        model_max_length=8,
    )
    part = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    config = CLIPConfig(
        text_config={**part, "vocab_size": 16, "max_position_embeddings": 8, "eos_token_id": 2},
        vision_config={**part, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    CLIPProcessor(images, tokens).save_pretrained(folder)
    return folder


def run(*words: object) -> int:
    return main(["data", "score", *map(str, words)])


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_scores_are_those_of_the_model(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pairs(tmp_path / "p.tar", WORDS)
    to = tmp_path / "s.jsonl"
    assert run(tmp_path / "p.tar", "--clip", clip, "--to", to, "--batch", 5) == 0
    assert "12 documents scored, 0 without" in capsys.readouterr().out
    reader = open_corpus("p", tmp_path / "p.tar")
    model = CLIPModel.from_pretrained(clip).eval()
    processor = CLIPProcessor.from_pretrained(clip)
    for index, line in enumerate(lines(to)):
        assert line["key"] == reader.key(index)
        image, text = reader[index].segments
        given = processor(
            text=[text.text],  # type: ignore[union-attr]
            images=[decode(image.data)],  # type: ignore[union-attr]
            return_tensors="pt",
            padding=True,
        )
        with torch.inference_mode():
            made = model(**given)
        expected = torch.cosine_similarity(made.image_embeds, made.text_embeds).item()
        assert line["clip_similarity"] == pytest.approx(expected, abs=1e-5)


def test_pages_texts_and_what_is_broken(tmp_path: Path, clip: Path) -> None:
    several = [("x.png", 0), ("y.png", 1)]
    good = page(["w1 w2", "w3"], several, [picture(1), picture(2)])
    bad = page(["w1 w2", "w3"], several, [picture(1), b"no picture"])
    write_lines(tmp_path / "p.jsonl", [good, bad, good])
    to = tmp_path / "s.jsonl"
    assert run(tmp_path / "p.jsonl", "--clip", clip, "--to", to) == 0
    first, last = lines(to)
    assert first["clip_similarity"] == pytest.approx(last["clip_similarity"], abs=1e-5)


def test_a_stopped_one_goes_on(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pairs(tmp_path / "p.tar", WORDS)
    whole, to = tmp_path / "whole.jsonl", tmp_path / "s.jsonl"
    words = (tmp_path / "p.tar", "--clip", clip, "--batch", 4)
    run(*words, "--to", whole)
    similarity = clip_scores.ClipScorer.similarity
    calls: list[int] = []

    def counted(self: clip_scores.ClipScorer, pictures: list, texts: list) -> torch.Tensor:  # type: ignore[type-arg]
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(len(pictures))
        return similarity(self, pictures, texts)

    monkeypatch.setattr(clip_scores.ClipScorer, "similarity", counted)
    assert run(*words, "--to", to) == 130
    assert not to.exists()
    with (tmp_path / ".s.jsonl.part").open("ab") as part:
        part.write(b'{"index": 8, "ke')
    calls.clear()
    assert run(*words, "--to", to) == 0
    assert calls == [4]
    assert to.read_bytes() == whole.read_bytes()


def test_a_bad_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pairs(tmp_path / "p.tar", WORDS)
    assert run(tmp_path / "p.tar", "--clip", tmp_path / "none", "--to", tmp_path / "s") == 2
    assert "none is no folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "p.tar", "--clip", tmp_path / "empty", "--to", tmp_path / "s") == 2
    assert "cannot be loaded" in capsys.readouterr().err
