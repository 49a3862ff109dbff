"""A benchmark's prompts are the training documents of the same words, up to the answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.writers import byte_tokenizer
from tests.evaluation.benchmark_files.pictures import dump, picture
from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.validate import validate
from vilax.data.document import Document, Image, Text
from vilax.data.formats import open_corpus
from vilax.data.prompt import IMAGE_TOKEN, Encoded, PromptEncoder
from vilax.evaluation.asking import Ask
from vilax.evaluation.benchmark import BenchmarkSource
from vilax.evaluation.few_shot import prompt_text

VISUAL = 3
ENCODER = PromptEncoder(byte_tokenizer(), VISUAL)
S = "Answer the question using a single word or phrase."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, first in (("test", 0), ("train", 50)):
        rows = []
        for number in range(first, first + 8):
            picture(tmp_path / f"{split}/{number}.png", number)
            picture(tmp_path / f"{split}/{number}-b.png", 100 + number)
            rows.append(
                {"id": number, "question": f"What is {number}?", "answer": f"thing {number}"}
            )
        dump(tmp_path / f"{split}.json", rows)
    return tmp_path


def source(root: Path, **changes: Any) -> BenchmarkSource:
    settings: dict[str, Any] = {
        "title": "Things", "cite": "us", "source": "here", "licence": "none", "id": "id",
        "files": {"data": {"path": "test.json"}}, "pictures": "'test/' ~ id ~ '.png'",
        "answers": "answer", "prompt": "{{ question }}\n" + S, "metric": "accuracy",
        "shots": [0, 4],
        "few_shot": {
            "files": {"data": {"path": "train.json"}}, "pictures": "'train/' ~ id ~ '.png'",
        },
    }  # fmt: skip
    return BenchmarkSource("things", validate(BenchmarkTask, settings | changes), root)


def prompt(made: BenchmarkSource, k: int, index: int = 0, seed: int = 0) -> tuple[Ask, Encoded]:
    ask = made.ask(index, k, seed)
    return ask, ENCODER.prompt(ask.document, made.template)


def shown(encoded: Encoded) -> str:
    return prompt_text(encoded, ENCODER.tokenizer)


@pytest.mark.parametrize("template", ["vicuna_v1", "vicuna_v1_nosys", "qa"])
@pytest.mark.parametrize("k", [0, 1, 4])
def test_a_prompt_of_turns_begins_the_training_document(root: Path, template: str, k: int) -> None:
    """The same conversation as LLaVA's JSON, read and encoded as in training."""
    made = source(root, template=template)
    ask, encoded = prompt(made, k)
    turns, pictures = [], []
    for name, split in [*((shot, "train") for shot in ask.shots), ("0", "test")]:
        human = f"<image>\nWhat is {name}?\n{S}"
        turns.append({"from": "human", "value": human})
        turns.append({"from": "gpt", "value": f"thing {name}"})
        pictures.append(f"{split}/{name}.png")
    corpus = root / "corpus.json"
    corpus.write_text(json.dumps([{"id": "x", "image": pictures, "conversations": turns}]))
    trained = ENCODER.document(open_corpus("corpus", corpus)[0], made.template)
    length = len(encoded.tokens)
    assert (trained.tokens[:length] == encoded.tokens).all()
    answer = ENCODER.continuation("thing 0", made.template)
    assert tuple(trained.tokens[length : length + len(answer)]) == answer
    assert [ask.pictures[key].read() for key in encoded.images] == list(trained.images)


@pytest.mark.parametrize("k", [0, 1, 4])
def test_a_raw_prompt_begins_the_interleaved_document(root: Path, k: int) -> None:
    prompt_words = "Question:{{ question }} Short answer:"
    made = source(root, template="raw", prompt=prompt_words, space="", between="\n")
    ask, encoded = prompt(made, k)
    segments: list[Image | Text] = []
    for name in ask.shots:
        segments.append(Image(f"train/{name}.png".encode()))
        segments.append(Text(f"Question:What is {name}? Short answer:thing {name}\n"))
    segments += [Image(b"test/0.png"), Text("Question:What is 0? Short answer:"), Text("thing 0")]
    trained = ENCODER.document(Document("x", "mmc4", tuple(segments)))
    length = len(encoded.tokens)
    assert (trained.tokens[:length] == encoded.tokens).all()
    assert tuple(trained.tokens[length:-1]) == ENCODER.text("thing 0")
    keys = [key.decode().removeprefix(f"file:{root}/").encode() for key in encoded.images]
    assert tuple(keys) == trained.images


def test_every_picture_stands_directly_before_its_own_text(root: Path) -> None:
    ask, encoded = prompt(source(root), 4)
    pieces = shown(encoded).split("<image>")
    names = [*ask.shots, "0"]
    assert len(pieces) == 6
    for name, key, piece in zip(names, encoded.images, pieces[1:], strict=True):
        assert key.decode().endswith(f"/{name}.png")
        assert piece.strip().startswith(f"What is {name}?\n{S}")
        assert piece.count("What is") == 1
        if name != "0":
            assert f"ASSISTANT: thing {name}</s>" in piece
    assert pieces[-1].endswith("ASSISTANT:")
    assert (encoded.tokens == IMAGE_TOKEN).sum() == 5 * VISUAL


def test_pictures_stand_where_the_prompt_says(root: Path) -> None:
    both = {"pictures": "['test/' ~ id ~ '.png', 'test/' ~ id ~ '-b.png']", "few_shot": None,
            "shots": [0]}  # fmt: skip
    words = {
        "Left: {{ image }} Right: {{ image }} {{ question }}":
            "USER: Left:<image>\nRight:<image>\nWhat is 0? ASSISTANT:",
        "{{ question }}": "USER: <image>\n<image>\nWhat is 0? ASSISTANT:",
        "{{ 'See <image 2>, then <image 1>.' | tagged }}":
            "USER: See<image 2>\n, then<image 1>\n. ASSISTANT:",
        "{{ 'A. <image>\nB. <image>' | marked }}": "USER: A.<image>\nB.<image>\nASSISTANT:",
    }  # fmt: skip
    for text, wanted in words.items():
        made = source(root, template="vicuna_v1_nosys", prompt=text, **both)
        _, encoded = prompt(made, 0)
        keys = [key.decode() for key in encoded.images]
        numbers = [2, 1] if "image 2" in text else [1, 2]
        assert [2 if key.endswith("-b.png") else 1 for key in keys] == numbers
        found = shown(encoded).replace(" <image> ", "<image>").replace("\n ASSIST", "\nASSIST")
        assert found == wanted.replace("<image 1>", "<image>").replace("<image 2>", "<image>")
    for text, message in {
        "{{ image }}{{ question }}": "has 2 pictures, its prompt shows 1",
        "{{ image }}{{ image }}{{ image }}": "its prompt asks for picture 3",
    }.items():
        with pytest.raises(ConfigError, match=message):
            prompt(source(root, prompt=text, **both), 0)


def test_words_of_a_question_are_never_taken_for_a_picture(root: Path) -> None:
    dump(root / "test.json", [{"id": 0, "question": "Is <image> a word?", "answer": "yes"}])
    _, encoded = prompt(source(root), 0)
    assert (encoded.tokens == IMAGE_TOKEN).sum() == VISUAL
    assert "Is <IMAGE> a word?" in shown(encoded)


def test_seeds_change_shots_and_nothing_else(root: Path) -> None:
    made = source(root)
    asks = [prompt(made, 4, seed=seed)[0] for seed in range(4)]
    assert len({ask.shots for ask in asks}) == 4
    assert len({ask.document.segments[-1] for ask in asks}) == 1
    assert np.array_equal(prompt(made, 4)[1].tokens, prompt(source(root), 4)[1].tokens)
    assert not {"0"} & {name for ask in asks for name in ask.shots}


def test_the_guard_is_heard_of_in_the_results(root: Path) -> None:
    (root / "train/50.png").write_bytes((root / "test/0.png").read_bytes())
    few_shot = {"files": {"data": {"path": "train.json"}}, "select": "fixed",
                "pictures": "'train/' ~ id ~ '.png'"}  # fmt: skip
    made = source(root, few_shot=few_shot)
    assert made.describe()["barred_shots"] == 0
    assert made.ask(0, 4, 0).shots == ("51", "52", "53", "54")
    assert made.ask(1, 4, 0).shots == ("50", "51", "52", "53")
    assert made.describe()["barred_shots"] == 1
