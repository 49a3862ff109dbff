"""What is used in training without a word, and named by lint."""

from collections.abc import Callable
from pathlib import Path

from tests.data.bad.lines import lined
from tests.data.bad.records import chat, turned
from tests.data.bad.tars import beside, pairs_with
from tests.data.writers import conversation, picture

LINTED: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "same id": (chat(conversation(["q", "a dog"], id="good3")), "duplicate-id", r"2 documents"),
    "same picture": (chat(conversation(["q", "a"], id="x")), "same-picture", "15 documents"),
    "answer is the question": (chat(conversation(["a b", "a b"], id="x")), "echo", "equals"),
    "two questions": (
        chat({**turned(), "conversations": [{"from": "human", "value": "q"}] * 2
               + [{"from": "gpt", "value": "a"}]}),
        "turns", "both the user's",
    ),
    "answer first": (
        chat({**turned(), "conversations": [{"from": "gpt", "value": "a"}] * 1
               + turned()["conversations"]}),
        "turns", "first is the assistant's",
    ),
    "NUL in a text": (lined('{"text": "a \\u0000 b"}'), "control", r"U\+0000"),
    "mojibake": (lined('{"text": "caf\u00c3\u00a9"}'), "mojibake", "character 3"),
    "replacement characters": (lined('{"text": "caf\ufffd"}'), "mojibake", r"U\+FFFD"),
    "special token": (lined('{"text": "a </s> b"}'), "special-token", "'</s>'"),
    "placeholder": (lined('{"text": "a <image> b"}'), "placeholder|mended", "<image>"),
    "half a pair": (lined('{"text": "a \\ud83d b"}'), "encoding|sample", "surrogate"),
    "tracking pixel": (pairs_with(picture(1, size=(1, 1))), "tiny-picture", "1 x 1"),
    "strip": (pairs_with(picture(1, size=(900, 4))), "strip", "900 x 4"),
    "a video that nothing reads": (
        chat({**conversation(["<video> q", "a"], id="x"), "video": "a.mp4"}),
        "no-picture", "'video'",
    ),
    "other format beside": (beside("a.jsonl.bz2", b"x"), "other-file", r"a\.jsonl\.bz2|expected"),
    "empty file beside": (beside("notes.csv", b""), "empty-file", "empty"),
}  # fmt: skip
"""Used in training without a word; lint names them, by kind and message."""
