"""Chat in the terminal: turns with pictures, examples, and what goes wrong."""

import io
import re
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.chat.subjects import greedy_answer, picture, random_subject
from vilax.chat.settings import Settings
from vilax.chat.talk import Talk
from vilax.cli import chat
from vilax.config.errors import ConfigError
from vilax.data.document import Image, Text
from vilax.evaluation.subject import Subject


@pytest.fixture
def subject() -> Subject:
    return random_subject()


WHAT = Text("what is this ?", False, "user")
EIGHT = Settings(max_new_tokens=8)


def test_turns_pictures_and_examples(
    subject: Subject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = picture(tmp_path / "a.png", 200), picture(tmp_path / "b.png", 10)
    talk = Talk(subject, "qa")
    lines = iter([f"/shot [{one}] what is this ? => an apple", f"[{two}] what is this ?", "and ?"])

    def read() -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    assert chat.converse(talk, EIGHT, read) == 0
    first, second = capsys.readouterr().out.splitlines()
    shot = (
        Image(one.read_bytes()),
        WHAT,
        Text("an apple", False, "assistant"),
    )
    asked = (Image(two.read_bytes()), WHAT)
    assert first == greedy_answer(subject, *shot, *asked)
    answer = Text(first.strip(), False, "assistant")
    assert second == greedy_answer(subject, *shot, *asked, answer, Text("and ?", False, "user"))
    assert chat.converse(talk, EIGHT, iter(["/reset", "/quit"]).__next__) == 0
    assert not talk.turns and len(talk.shots) == 1


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
    talk = Talk(subject, "qa")
    read = iter([line, "what is this ?", "/quit"]).__next__
    assert chat.converse(talk, EIGHT, read) == 0
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out.strip() == greedy_answer(subject, WHAT).strip()


def test_the_command_reads_standard_input(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = SimpleNamespace(template_of=lambda stage: "qa")
    entry = SimpleNamespace(label="stage sft 123")
    monkeypatch.setattr("vilax.ablation.subject.find_result", lambda model: (run, "sft", entry))
    parts = (subject.model, subject.tokenizer, subject.features, None)
    monkeypatch.setattr("vilax.training.load.load_result", lambda *given: parts)
    monkeypatch.setattr(sys, "stdin", io.StringIO("what is this ?\n"))
    assert chat.main(["x", "--max-new-tokens", "8"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == greedy_answer(subject, WHAT).strip()
    assert "template qa" in shown.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-new-tokens", "0"], "at least 1"),
        (["--temperature", "3"], "temperature 3: expected 0"),
        (["--seed", "-1"], "seed -1"),
        (["--port", "8000"], "--web"),
        (["--web", "--port", "70000"], "--port 70000: expected 1 to 65535"),
    ],
)
def test_settings_out_of_range_are_refused_before_a_model_is_looked_for(
    words: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        chat.main(["there-is-no-such-model", *words])


def test_a_port_that_is_taken_is_refused_before_a_model_is_looked_for() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: Address already in use"):
            chat.main(["there-is-no-such-model", "--web", "--port", str(port)])


def test_without_gradio_the_page_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vilax.cli.chat_web.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=re.escape("pip install 'vilax[web]'")):
        chat.main(["there-is-no-such-model", "--web"])
