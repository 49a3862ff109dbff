"""The world's tokenizer: fixed, complete, and a standard folder."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from vilax.micro.language import (
    FORMATS,
    invented_words,
    vocabulary,
)
from vilax.micro.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def world_texts(folder: Path) -> Iterator[str]:
    """Every text of every corpus and every evaluation item."""
    for line in (folder / "text" / "text.jsonl").read_text().splitlines():
        yield json.loads(line)["text"]
    lines = (folder / "text_instructions" / "text_instructions.jsonl").read_text().splitlines()
    for row in map(json.loads, lines):
        yield from row.values()
    for line in (folder / "pages" / "pages.jsonl").read_text().splitlines():
        yield from json.loads(line)["text_list"]
    for row in json.loads((folder / "instructions" / "instructions.json").read_text()):
        for turn in row["conversations"]:
            yield turn["value"].removeprefix("<image>\n")
    for name in ("captions_align", "pairs", "page_pairs"):
        for shard in sorted((folder / name).glob("*.tar")):
            with tarfile.open(shard) as tar:
                for member in tar:
                    if member.name.endswith(".txt"):
                        file = tar.extractfile(member)
                        assert file is not None
                        yield file.read().decode()
    for path in (folder / "evaluation").rglob("*.jsonl"):
        for item in map(json.loads, path.read_text().splitlines()):
            yield from item["answers"] + (item["candidates"] or [])
            for key in ("subject", "between", "after", "question"):
                if item[key] is not None:
                    yield item[key]


def test_every_text_is_known_and_decodes_to_itself(
    tokenizer: PreTrainedTokenizerFast, world_folder: Path
) -> None:
    texts = sorted(set(world_texts(world_folder)))
    assert len(texts) > 1000
    for text, tokens in zip(texts, tokenizer(texts)["input_ids"], strict=True):
        assert tokenizer.unk_token_id not in tokens, text
        assert tokenizer.decode(tokens) == text


def test_folder_loads_by_the_standard_class(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "Cat -> mammal | what is this?"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.decode(loaded(text)["input_ids"]) == "cat -> mammal | what is this ?"
    assert (loaded.pad_token_id, loaded.eos_token_id, loaded.unk_token_id) == (0, 1, 2)
    assert loaded.bos_token is None


def test_vocabulary_is_sorted_and_each_attribute_one_token(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    words = vocabulary()
    assert list(words) == sorted(set(words))
    assert len(tokenizer) == len(words) + 3
    for word in words:
        assert len(tokenizer(word)["input_ids"]) == 1, word


def test_dialogue_words_occur_in_text_but_no_dialogue(world_folder: Path) -> None:
    text = (world_folder / "text" / "text.jsonl").read_text()
    assert "question :" not in text
    for word in ("question", "answer", "which", "what", "describe", "shows", "?"):
        assert f" {word} " in text, word


def test_invented_words_are_invented_and_apart(world_folder: Path) -> None:
    training, evaluation = invented_words("training"), invented_words("evaluation")
    assert len(training) == len(evaluation) == 32
    assert not set(training) & set(evaluation)
    known = set(evaluation)
    for line in (world_folder / "text" / "text.jsonl").read_text().splitlines():
        words = json.loads(line)["text"].split()
        for i, word in enumerate(words):
            if word in known and i >= 2 and any(words[i - 1] == f.between for f in FORMATS):
                assert words[i - 2] == word
    seen = {word for line in (world_folder / "text" / "text.jsonl").open() for word in line.split()}
    assert len(known & seen) > 20
