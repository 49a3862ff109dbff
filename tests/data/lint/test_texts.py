"""Texts and turns: what is odd, and what is not."""

import pytest

from vilax.data.lint.texts import SPECIAL_TOKENS, special_pattern, text_faults
from vilax.data.lint.turns import turns_fault, turns_of

SPECIAL = special_pattern(SPECIAL_TOKENS)


@pytest.mark.parametrize(
    "text",
    [
        "A dog, caf\u00e9 \u00c3o Paulo?\n\tyes\r\n",
        "\u4e2d\u6587 \U0001f600 \u2018quoted\u2019 \u00e2 \u00c2ge",
        "a < b and c > d, <b>bold</b>, s/x/y/, [1]",
        "",
    ],
)
def test_ordinary_texts_pass(text: str) -> None:
    assert list(text_faults(text, SPECIAL)) == []


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("a\0b\0", "control", "2, the first at character 1 (U+0000)"),
        ("a\x1b[0m", "control", "U+001B"),
        ("caf\u00c3\u00a9", "mojibake", "U+00C3 U+00A9"),
        ("don\u00e2\u20ac\u2122t", "mojibake", "character 3"),
        ("\ufffd", "mojibake", "U+FFFD"),
        ("a \ud83d", "encoding", "surrogate"),
        ("see <image> here", "placeholder", "'<image>'"),
        ("a</s>", "special-token", "'</s>'"),
        ("<|im_start|>user", "special-token", "'<|im_start|>'"),
    ],
)
def test_odd_texts_are_named(text: str, kind: str, said: str) -> None:
    ((found, message),) = text_faults(text, SPECIAL)
    assert found == kind
    assert said in message


def test_turns_of_common_layouts() -> None:
    llava = {
        "id": 3,
        "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
    }
    chat = {"messages": [{"role": r, "content": "x"} for r in ("system", "user", "assistant")]}
    assert turns_of(llava) == turns_of(chat) == ["user", "assistant"]
    assert turns_of({"text": "x", "list": [1]}) == []
    assert turns_of({"rows": [{"from": "x"}]}) == []


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        (["user", "assistant", "user", "assistant"], ""),
        ([], ""),
        (["assistant", "user", "assistant"], "the first is the assistant's"),
        (["user", "user", "assistant"], "1 and 2 are both the user's"),
        (["user", "assistant", "assistant"], "2 and 3 are both the assistant's"),
        (["user", "assistant", "user"], "no answer"),
    ],
)
def test_order_of_turns(roles: list[str], said: str) -> None:
    assert said in turns_fault(roles)
    assert bool(said) == bool(turns_fault(roles))
