"""Tokens are spelled so that nothing is lost, hidden or made up."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.data.writers import byte_tokenizer, tokenizer
from vilax.data.inspect.spelling import Spelling, visible


def piece_tokenizer() -> PreTrainedTokenizerFast:
    """SentencePiece's kind: a space is part of the word behind it, other bytes fall back."""
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words += ["\u2581a", "\u2581dog", "dog", "\u2581"]
    scores = [(word, 0.0 if number < 259 else -1.0) for number, word in enumerate(words)]
    backend = Tokenizer(models.Unigram(scores, unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


@pytest.mark.parametrize("make", [byte_tokenizer, piece_tokenizer])
@pytest.mark.parametrize(
    "text", ["a dog", " a  dog\n", "na\u00efve \U0001f98a fox", "\u4e2d\u6587"]
)
def test_tokens_joined_are_the_text(make, text) -> None:
    chosen = make()
    ids = chosen(text, add_special_tokens=False)["input_ids"]
    texts = Spelling(chosen).texts(ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == text


def test_a_character_of_several_tokens_is_shown_once_at_the_last() -> None:
    chosen = byte_tokenizer()
    ids = chosen("\U0001f98a", add_special_tokens=False)["input_ids"]
    assert Spelling(chosen).texts(ids) == ["", "", "", "\U0001f98a"]
    assert Spelling(chosen).texts(ids[:2]) == ["", "\ufffd"]


def test_words_without_spaces_are_set_apart() -> None:
    chosen = tokenizer()
    spelling = Spelling(chosen)
    ids = chosen("a dog unheard-of", add_special_tokens=False)["input_ids"]
    assert spelling.texts(ids) == ["a", " dog", " <unk>"]
    assert spelling.is_special(chosen.eos_token_id)
    assert spelling.name(chosen.eos_token_id) == "</s>"


def test_what_cannot_be_seen_gets_a_mark() -> None:
    assert visible([" a", " ", " b\n", "c "]) == ["\u2423a", "\u2423", "\u2423b\u21b5\n", "c\u2423"]
    assert visible(["plain words here"]) == ["plain words here"]
    assert visible(["x\u202ey"]) == ["x\u2039U+202E\u203ay"]
    assert visible(["\r\u200b\x00"]) == ["\u2039U+000D\u203a\u2039U+200B\u203a\u2039U+0000\u203a"]
    assert visible(["a\tb\u00a0c"]) == ["a\u2192\tb\u237dc"]
