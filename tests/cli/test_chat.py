"""Chat: turns with pictures, examples, streaming, and what goes wrong."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from vilax.cli import chat
from vilax.data.document import Document, Image, Text
from vilax.evaluation.subject import Subject
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.decoding import generate
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel


@pytest.fixture
def subject() -> Subject:
    tokenizer = build_tokenizer()
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 128}
    torch.manual_seed(0)
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    model = VisionLanguageModel(encoder, LinearProjector(encoder.width, 32), llm).eval()

    def features(pictures: Any) -> torch.Tensor:
        seeds = [int(np.frombuffer(data, np.uint8).sum()) for data in pictures]
        made = [torch.Generator().manual_seed(seed) for seed in seeds]
        return torch.stack([torch.randn(4, encoder.width, generator=g) for g in made])

    return Subject(model, tokenizer, features)


def picture(path: Path, level: int) -> Path:
    PIL.Image.new("RGB", (20, 10), (level, 90, 30)).save(path)
    return path


def said(subject: Subject, *segments: Any) -> str:
    prompt = subject.prompts.prompt(Document("x", "x", segments), "qa")
    images = [s.data for s in segments if isinstance(s, Image)]
    features = subject.features(images) if images and subject.features else None
    eos = subject.tokenizer.eos_token_id
    (new,) = generate(subject.model, [prompt.tokens.tolist()], [features], 8, [eos], 0)
    return str(subject.tokenizer.decode(new, skip_special_tokens=True))


def test_turns_pictures_and_examples(
    subject: Subject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = picture(tmp_path / "a.png", 200), picture(tmp_path / "b.png", 10)
    talk = chat.Talk(subject, "qa", 8)
    lines = iter([f"/shot [{one}] what is this ? => an apple", f"[{two}] what is this ?", "and ?"])

    def read() -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    assert chat.converse(talk, read) == 0
    first, second = capsys.readouterr().out.splitlines()
    shot = (
        Image(one.read_bytes()),
        Text("what is this ?", False, "user"),
        Text("an apple", False, "assistant"),
    )
    asked = (Image(two.read_bytes()), Text("what is this ?", False, "user"))
    assert first == said(subject, *shot, *asked)
    answer = Text(first.strip(), False, "assistant")
    assert second == said(subject, *shot, *asked, answer, Text("and ?", False, "user"))
    assert chat.converse(talk, iter(["/reset", "/quit"]).__next__) == 0
    assert not talk.turns and len(talk.shots) == 3


def test_answers_come_piece_by_piece(subject: Subject) -> None:
    talk = chat.Talk(subject, "qa", 8)
    pieces = list(talk.ask("what is this ?"))
    assert len(pieces) > 1
    assert "".join(pieces) == said(subject, Text("what is this ?", False, "user"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[none.png] what ?", "No such file"),
        ("/shot what ?", "QUESTION => ANSWER"),
        ("/rest", "/reset"),
        ("what " * 200, "context has 128"),
    ],
)
def test_what_goes_wrong_is_said_and_the_talk_goes_on(
    subject: Subject, line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = chat.Talk(subject, "qa", 8)
    assert chat.converse(talk, iter([line, "what is this ?", "/quit"]).__next__) == 0
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out.strip() == said(subject, Text("what is this ?", False, "user")).strip()


def test_the_command_reads_standard_input(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = SimpleNamespace(template_of=lambda stage: "qa")
    entry = SimpleNamespace(label="stage sft 123")
    monkeypatch.setattr("vilax.ablation.subject.find_result", lambda model: (run, "sft", entry))
    parts = (subject.model, subject.tokenizer, subject.features)
    monkeypatch.setattr("vilax.training.load.load_result", lambda *given: parts)
    monkeypatch.setattr(sys, "stdin", io.StringIO("what is this ?\n"))
    assert chat.main(["x", "--max-new-tokens", "8"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == said(subject, Text("what is this ?", False, "user")).strip()
    assert "template qa" in shown.err
