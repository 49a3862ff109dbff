"""Tokens back to text, one by one, so that nothing is lost or made up on the way."""

import codecs
import json
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Kind = Literal["bytes", "spaces", "words"]
"""How a vocabulary spells: bytes as letters (GPT-2), ``\u2581`` for a space (SentencePiece), or
words without the spaces between them."""

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


class Spelling:
    """The text of each token.

    Args:
        tokenizer: a transformers tokenizer.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        self._special = set(tokenizer.all_special_ids)
        self.kind = _kind(tokenizer)
        self._known: dict[int, bytes] = {}

    def name(self, token: int) -> str:
        """The token as its vocabulary writes it, such as ``</s>``."""
        found = self._tokenizer.convert_ids_to_tokens(int(token))
        return str(found) if found is not None else f"<{token}>"

    def is_special(self, token: int) -> bool:
        """Whether it is a special token, such as BOS, EOS or padding."""
        return token in self._special

    def texts(self, tokens: Sequence[int]) -> list[str]:
        """The text that each token adds; joined they are the text of all.

        A character of several tokens is given to the last of them, and the others get nothing;
        bytes that make no character become ``\ufffd``. Words of a vocabulary that knows no spaces
        get one in front, but for the first.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        texts = [decoder.decode(self._bytes(int(token))) for token in tokens]
        rest = decoder.decode(b"", final=True)
        if texts:
            texts[-1] += rest
        if self.kind == "words":
            texts = [
                text.removeprefix("##") if text.startswith("##") or not number else f" {text}"
                for number, text in enumerate(texts)
            ]
        return texts

    def _bytes(self, token: int) -> bytes:
        spelled = self._known.get(token)
        if spelled is None:
            spelled = self._known[token] = self._spell(token)
        return spelled

    def _spell(self, token: int) -> bytes:
        name = self.name(token)
        if self.kind == "bytes":
            letters = _letters()
            # A token added later is not spelled in letters for bytes.
            if all(letter in letters for letter in name):
                return bytes(letters[letter] for letter in name)
            return name.encode("utf-8", "replace")
        byte = _BYTE.fullmatch(name)
        if byte:
            return bytes([int(byte[1], 16)])
        return name.replace("\u2581", " ").encode("utf-8", "replace")


def _kind(tokenizer: "PreTrainedTokenizerBase") -> Kind:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = json.loads(backend.to_str()) if backend is not None else {}
    types = set(_types(rules.get("decoder"))) | set(_types(rules.get("pre_tokenizer")))
    if "ByteLevel" in types:
        return "bytes"
    spaced = any(str(name).startswith("\u2581") for name in tokenizer.get_vocab())
    return "spaces" if spaced or "Metaspace" in types else "words"


def _types(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in _types(each)]
    if not isinstance(node, dict):
        return []
    inner = [found for value in node.values() for found in _types(value)]
    return [str(node.get("type")), *inner]


@cache
def _letters() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {chr(byte): byte for byte in plain}
    return table | {chr(256 + number): byte for number, byte in enumerate(others)}


def visible(texts: Sequence[str]) -> list[str]:
    """Texts of the tokens of a run, with marks where one would see nothing, or be misled.

    Spaces are marked at the run's ends and where several stand together; a newline gets a mark and
    stays; control, zero-width and direction characters become their code.
    """
    whole = "".join(texts)
    first, last = len(whole) - len(whole.lstrip(" ")), len(whole.rstrip(" "))
    shown, at = [], 0
    for text in texts:
        marked = []
        for place in range(at, at + len(text)):
            letter = whole[place]
            if letter == " ":
                is_end = place < first or place >= last
                is_end = is_end or " " in (whole[place - 1], whole[place + 1])
                marked.append("\u2423" if is_end else " ")
            else:
                marked.append(_MARKS.get(letter) or _CONTROL.sub(_code, letter))
        shown.append("".join(marked))
        at += len(text)
    return shown


def _code(found: re.Match[str]) -> str:
    return f"\u2039U+{ord(found[0]):04X}\u203a"


_MARKS = {"\n": "\u21b5\n", "\t": "\u2192\t", "\u00a0": "\u237d"}
