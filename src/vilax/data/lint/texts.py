"""What is odd about a text."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
SURROGATE = re.compile("[\ud800-\udfff]")
MOJIBAKE = re.compile(
    "\ufffd|\u00c3[\u0080-\u00bf]|\u00e2\u20ac[\u2122\u0153\u009d\u201c\u201d\u00a6]|\u00c2[\u00a0-\u00bf]"
)
PLACEHOLDER = re.compile("<(image|video|img)>", re.IGNORECASE)

SPECIAL_TOKENS = (
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<bos>",
    "<eos>",
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<|image|>",
    "<|vision_start|>",
    "<|image_pad|>",
)
"""Looked for whatever the tokenizer; the tokenizer's own come on top."""


def special_pattern(tokens: Iterable[str]) -> re.Pattern[str]:
    """Matches any of the tokens, the longest first; they stand for nothing else in a text."""
    every = {token for token in tokens if len(token) > 1}
    return _compiled(tuple(sorted(every, key=lambda token: (-len(token), token))))


@lru_cache(8)
def _compiled(tokens: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(token) for token in tokens) or r"(?!)")


def text_faults(text: str, special: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Kind and message of everything odd about a text, one of each kind.

    Args:
        text: the text.
        special: special tokens (``special_pattern``).
    """
    for kind, pattern, what in (
        ("encoding", SURROGATE, "half of a surrogate pair"),
        ("control", CONTROL, "control characters"),
        ("mojibake", MOJIBAKE, "mojibake"),
    ):
        first = pattern.search(text)
        if first is not None:
            number = sum(1 for _ in pattern.finditer(text))
            codes = " ".join(f"U+{ord(c):04X}" for c in first.group())
            yield kind, f"{what}: {number:,}, the first at character {first.start():,} ({codes})"
    first = PLACEHOLDER.search(text)
    if first is not None:
        yield "placeholder", f"text holds {first.group()!r} at character {first.start():,}"
    first = special.search(text)
    if first is not None and PLACEHOLDER.fullmatch(first.group()) is None:
        yield "special-token", f"text holds {first.group()!r} at character {first.start():,}"
