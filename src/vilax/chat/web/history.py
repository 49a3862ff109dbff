"""Conversation and examples in the form that the page's elements take."""

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

from vilax.chat.talk import Exchange, Talk
from vilax.chat.web.prints import Prints
from vilax.data.document import Image, Segment


def messages(
    talk: Talk, prints: Prints, question: Sequence[Segment] = (), answer: str | None = None
) -> list[dict[str, Any]]:
    """A conversation as messages of gradio's chatbot.

    Args:
        talk: the conversation.
        prints: pictures as they are shown.
        question: what is being asked and not yet part of it.
        answer: what has been said to that so far.
    """
    shown: list[dict[str, Any]] = []
    for turn in talk.turns:
        shown += [_user(turn.question, prints), _assistant(turn.answer)]
    if question:
        shown.append(_user(question, prints))
    if answer is not None:
        shown.append(_assistant(answer))
    return shown


def _user(question: Sequence[Segment], prints: Prints) -> dict[str, Any]:
    content: list[Any] = []
    for segment in question:
        if isinstance(segment, Image):
            file = {"path": str(prints.path(segment)), "mime_type": "image/png"}
            content.append({"type": "file", "file": file})
        else:
            content.append({"type": "text", "text": segment.text})
    return {"role": "user", "content": content}


def _assistant(answer: str) -> dict[str, Any]:
    # A bare string would lose its indentation.
    return {"role": "assistant", "content": [{"type": "text", "text": answer}]}


def example_html(number: int, shot: Exchange, prints: Prints) -> str:
    """An example: its number from 1, its pictures, its question, its answer."""
    pictures: list[str] = []
    texts: list[str] = []
    for segment in shot.question:
        if isinstance(segment, Image):
            data = base64.b64encode(prints.path(segment).read_bytes()).decode()
            alt = f"picture {len(pictures) + 1} of example {number}"
            pictures.append(f'<img src="data:image/png;base64,{data}" alt="{alt}">')
        else:
            texts.append(escape(segment.text))
    asked = f"{''.join(pictures)}<p>{' '.join(texts)}</p>"
    told = f"<p>&rarr; {escape(shot.answer)}</p>"
    return f'<div class="example"><p><b>Example {number}</b></p>{asked}{told}</div>'
