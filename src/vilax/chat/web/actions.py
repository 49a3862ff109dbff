"""What the page does when something on it is used."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

import gradio as gr

from vilax.chat.pictures import read_picture
from vilax.chat.seen import seen
from vilax.chat.settings import Settings
from vilax.chat.talk import Exchange, Talk, said
from vilax.chat.web.history import messages
from vilax.chat.web.prints import Prints
from vilax.chat.web.style import problem
from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.data.document import Segment, Text
from vilax.data.inspect.spelling import Spelling
from vilax.evaluation.subject import Subject

PAUSE = 0.05
"""Seconds between two looks of a growing answer, at least: each sends what has changed."""

Given = Mapping[str, Any] | None
"""What a multimodal text box holds: ``text`` and ``files``, paths of what was uploaded."""


class Actions:
    """The page's conversations: one for every time that it is opened.

    Args:
        subject: the model.
        template: name of its conversation template.
        prints: pictures as they are shown.
    """

    def __init__(self, subject: Subject, template: Template, prints: Prints) -> None:
        self._subject = subject
        self._template = template
        self._prints = prints
        self._spelling = Spelling(subject.tokenizer)
        self._talks: WeakSet[Talk] = WeakSet()

    def begin(self) -> tuple[Talk, int]:
        """A new conversation, and the version of its examples."""
        talk = Talk(self._subject, self._template)
        self._talks.add(talk)
        return talk, 1

    def stop_all(self) -> None:
        """End every answer that is being made."""
        for talk in list(self._talks):
            talk.stop()

    def ask(
        self, talk: Talk, given: Given, most: float | None, heat: float, seed: float | None
    ) -> Iterator[tuple[Any, ...]]:
        """Answer a question.

        Yields:
            Conversation, question box, prompt, what went wrong.
        """
        try:
            settings = _settings(most, heat, seed)
            asked = talk.prepare(_question(given), settings)
        except ConfigError as error:
            yield gr.skip(), gr.skip(), gr.skip(), problem(str(error))
            return
        view = seen(asked.prompt, self._subject, self._spelling)
        prompt = gr.Textbox(view.text, info=view.summary)
        busy = gr.MultimodalTextbox(None, submit_btn=False, stop_btn="Stop")
        ready = gr.MultimodalTextbox(submit_btn="Ask", stop_btn=False)
        yield messages(talk, self._prints, asked.question, ""), busy, prompt, problem()
        answer, shown_at = "", 0.0
        try:
            for piece in talk.answer(asked, settings):
                answer += piece
                if time.monotonic() - shown_at >= PAUSE:
                    now = messages(talk, self._prints, asked.question, answer)
                    yield now, gr.skip(), gr.skip(), gr.skip()
                    shown_at = time.monotonic()
        except (RuntimeError, ValueError) as error:
            # Such as no memory left for a long prompt.
            wrong = f"the model failed: {error}"
            again = gr.MultimodalTextbox(dict(given or {}), submit_btn="Ask", stop_btn=False)
            yield messages(talk, self._prints), again, gr.skip(), problem(wrong)
            return
        yield messages(talk, self._prints), ready, gr.skip(), problem()

    def stop(self, talk: Talk) -> None:
        """End the answer that is being made."""
        talk.stop()

    def clear(self, talk: Talk) -> tuple[Any, ...]:
        """Forget the conversation, keep the examples; conversation, prompt, what went wrong."""
        talk.turns.clear()
        return [], gr.Textbox("", info=""), problem()

    def clear_all(self, talk: Talk, version: int) -> tuple[Any, ...]:
        """Forget both; as ``clear``, and the examples' new version."""
        talk.shots.clear()
        return *self.clear(talk), version + 1

    def add(self, talk: Talk, version: int, given: Given, answer: str) -> tuple[Any, ...]:
        """Put an example behind the others.

        Returns:
            Version of the examples, question box, answer box, what went wrong.
        """
        try:
            question = _question(given)
            if not any(isinstance(one, Text) for one in question):
                raise ConfigError("expected a question beside the pictures of the example")
            if not answer.strip():
                raise ConfigError("expected the answer of the example")
        except ConfigError as error:
            return gr.skip(), gr.skip(), gr.skip(), problem(str(error))
        talk.shots.append(Exchange(tuple(question), answer.strip()))
        return version + 1, None, "", problem()

    def move(self, talk: Talk, version: int, number: int, by: int) -> int:
        """Put an example before or behind its neighbour; the examples' new version."""
        place = number + by
        if 0 <= number < len(talk.shots) and 0 <= place < len(talk.shots):
            talk.shots.insert(place, talk.shots.pop(number))
        return version + 1

    def remove(self, talk: Talk, version: int, number: int) -> int:
        """Take an example away; the examples' new version."""
        if 0 <= number < len(talk.shots):
            del talk.shots[number]
        return version + 1


def _settings(most: float | None, heat: float, seed: float | None) -> Settings:
    """Settings as the page's fields hold them; an emptied field holds nothing."""
    if most is None or seed is None:
        raise ConfigError(f"{'max new tokens' if most is None else 'seed'}: expected a number")
    return Settings(int(most), float(heat), int(seed))


def _question(given: Given) -> Sequence[Segment]:
    """Pictures in the order they were added, then the text."""
    held = given or {}
    paths = [Path(file) for file in held.get("files") or []]
    found: list[Segment] = [read_picture(path, path.name) for path in paths]
    text = (held.get("text") or "").strip()
    return [*found, said(text, "user")] if text else found
