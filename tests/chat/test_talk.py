"""A conversation: pieces, stopping, drawing, and what a failed answer leaves."""

import threading
import time
from pathlib import Path

import pytest
import torch

from tests.chat.subjects import greedy_answer, picture, random_subject
from vilax.chat.settings import Settings
from vilax.chat.talk import Exchange, Talk, said
from vilax.config.errors import ConfigError
from vilax.data.document import Image, Segment, Text
from vilax.evaluation.subject import Subject

WHAT: tuple[Segment, ...] = (said("what is this ?", "user"),)
EIGHT = Settings(max_new_tokens=8)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return random_subject()


def answer(talk: Talk, question: tuple[Segment, ...], settings: Settings) -> list[str]:
    return list(talk.answer(talk.prepare(question, settings), settings))


def test_answers_come_piece_by_piece(subject: Subject) -> None:
    talk = Talk(subject, "qa")
    pieces = answer(talk, WHAT, EIGHT)
    assert len(pieces) > 1
    assert "".join(pieces) == greedy_answer(subject, *WHAT)
    assert talk.turns == [Exchange(WHAT, "".join(pieces).strip())]


def test_examples_and_turns_stand_before_a_question(subject: Subject, tmp_path: Path) -> None:
    shown = Image(picture(tmp_path / "a.png", 200).read_bytes())
    shot = Exchange((shown, *WHAT), "an apple")
    talk = Talk(subject, "qa", shots=[shot])
    first = "".join(answer(talk, WHAT, EIGHT)).strip()
    second = "".join(answer(talk, WHAT, EIGHT))
    before = [shown, *WHAT, Text("an apple", False, "assistant"), *WHAT]
    assert second == greedy_answer(subject, *before, Text(first, False, "assistant"), *WHAT)
    assert second != greedy_answer(subject, *WHAT), "the model does not heed what stands before"


def test_a_stopped_answer_ends_early_and_stays(subject: Subject) -> None:
    talk, settings = Talk(subject, "qa"), Settings(max_new_tokens=100)
    whole = "".join(answer(Talk(subject, "qa"), WHAT, settings))
    pieces = []
    for piece in talk.answer(talk.prepare(WHAT, settings), settings):
        pieces.append(piece)
        talk.stop()
    stopped = "".join(pieces)
    assert stopped and whole.startswith(stopped)
    assert len(stopped) < len(whole)
    assert [turn.answer for turn in talk.turns] == [stopped.strip()]
    assert len(answer(talk, WHAT, EIGHT)) > 1


def test_an_answer_that_is_left_is_taken_back_and_computes_no_more(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    decode = subject.tokenizer.decode

    def slow(tokens: list[int], **how: bool) -> str:
        time.sleep(0.01)
        made.append(str(decode(tokens, **how)))
        return made[-1]

    monkeypatch.setattr(subject.tokenizer, "decode", slow)
    talk, settings = Talk(subject, "qa"), Settings(max_new_tokens=100)
    threads = threading.active_count()
    pieces = talk.answer(talk.prepare(WHAT, settings), settings)
    next(pieces)
    assert threading.active_count() == threads + 1
    pieces.close()  # type: ignore[attr-defined]
    assert threading.active_count() == threads
    assert len(made) < 50
    assert not talk.turns


def test_a_question_that_the_model_failed_at_is_taken_back(
    subject: Subject, tmp_path: Path
) -> None:
    def no_memory(pictures: object) -> torch.Tensor:
        raise RuntimeError("out of memory")

    talk = Talk(Subject(subject.model, subject.tokenizer, no_memory), "qa")
    shown = Image(picture(tmp_path / "a.png", 200).read_bytes())
    with pytest.raises(RuntimeError, match="out of memory"):
        answer(talk, (shown, *WHAT), EIGHT)
    assert not talk.turns
    assert len(answer(talk, WHAT, EIGHT)) > 1


def test_one_seed_draws_one_answer(subject: Subject) -> None:
    def drawn(heat: float, seed: int) -> str:
        return "".join(answer(Talk(subject, "qa"), WHAT, Settings(8, heat, seed)))

    assert drawn(1.5, 1) == drawn(1.5, 1)
    assert len({drawn(1.5, seed) for seed in range(5)}) > 1
    assert drawn(0.0, 1) == greedy_answer(subject, *WHAT)


def test_what_cannot_be_asked(subject: Subject, tmp_path: Path) -> None:
    shown = Image(picture(tmp_path / "a.png", 200).read_bytes())
    blind = Talk(Subject(subject.model, subject.tokenizer, None), "qa")
    with pytest.raises(ConfigError, match="text-only"):
        blind.prepare((shown, *WHAT), EIGHT)
    talk = Talk(subject, "qa")
    with pytest.raises(ConfigError, match="a question beside the pictures"):
        talk.prepare((shown,), EIGHT)
    with pytest.raises(ConfigError, match=r"expected a question$"):
        talk.prepare((), EIGHT)
    tokens = len(talk.prepare(WHAT, EIGHT).prompt.tokens)
    talk.prepare(WHAT, Settings(max_new_tokens=128 - tokens))
    told = f"takes {tokens} tokens and an answer up to {129 - tokens}"
    with pytest.raises(ConfigError, match=told):
        talk.prepare(WHAT, Settings(max_new_tokens=129 - tokens))
