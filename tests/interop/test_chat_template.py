"""The chat template of an export gives the token ids of vilax's own prompts, in every template and
with every kind of tokenizer."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from jinja2 import TemplateError
from PIL import Image as Pictures
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoProcessor,
    CLIPImageProcessor,
    LlavaProcessor,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from tests.chat_templates import FAMILIES, QWEN, chat_tokenizer
from vilax.config.errors import ConfigError
from vilax.data.document import Document, Image, Text
from vilax.data.prompt import IMAGE_TOKEN, PromptEncoder
from vilax.interop.chat_template import jinja_of, use_chat_template
from vilax.interop.conversations import CONVERSATIONS, compare_conversations

SPECIAL = (
    "<s>",
    "</s>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|im_start|>",
    "<|im_end|>",
)
NAMED = ("raw", "plain", "qa", "vicuna_v1", "vicuna_v1_nosys", "llama_3", "hermes-2")


def pieces_of(scheme: str | None) -> PreTrainedTokenizerFast:
    """Byte level (None), or SentencePiece's kind with a space before the first or every piece; BOS
    is added to every text, as by Llama's."""
    if scheme is None:
        words = {word: n for n, word in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
        backend = Tokenizer(models.BPE(words, []))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
    else:
        letters = [chr(n) for n in range(33, 127)]
        pieces = ["<unk>", *(f"<0x{n:02X}>" for n in range(256)), "\u2581", *letters]
        merged = [f"\u2581{letter}" for letter in letters]
        merges = [("\u2581", letter) for letter in letters]
        words = {piece: n for n, piece in enumerate(dict.fromkeys([*pieces, *merged]))}
        backend = Tokenizer(
            models.BPE(words, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
        )
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
        backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    backend.add_special_tokens([AddedToken(n, special=True, normalized=False) for n in SPECIAL])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        clean_up_tokenization_spaces=False,
    )


def talk(picture: str) -> list[dict[str, Any]]:
    seen = {"type": "image", "path": picture}
    return [
        {"role": "user", "content": [seen, {"type": "text", "text": "what is it?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a dog"}]},
        {"role": "user", "content": "and\n  the <image> 'here'?"},
        {"role": "assistant", "content": "it's a\\b <image>"},
        {"role": "user", "content": [seen, {"type": "text", "text": "this"}, seen]},
    ]


def document(turns: list[dict[str, Any]]) -> Document:
    found: list[Text | Image] = []
    for turn in turns:
        parts = turn["content"]
        for part in [{"text": parts}] if isinstance(parts, str) else parts:
            said = Text(part.get("text", ""), turn["role"] == "assistant", turn["role"])
            found.append(said if "text" in part else Image(b""))
    return Document("k", "c", tuple(found))


def ids(
    tokenizer: PreTrainedTokenizerBase, jinja: str, turns: list[Any], opened: bool, folder: Path
) -> list[int]:
    """What a processor makes of a conversation once it was written and read."""
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    use_chat_template(tokenizer, jinja)
    sides = {"height": 28, "width": 28}
    LlavaProcessor(
        CLIPImageProcessor(size=sides, crop_size=sides),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=jinja,
    ).save_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    found = processor.apply_chat_template(
        turns, add_generation_prompt=opened, tokenize=True, return_dict=True
    )["input_ids"][0]
    return [IMAGE_TOKEN if number == processor.image_token_id else number for number in found]


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "picture.png"
    Pictures.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("scheme", [None, "first", "always", "never"])
@pytest.mark.parametrize("template", NAMED)
def test_every_template_agrees(
    tmp_path: Path, template: Any, scheme: str | None, length: int, picture: str
) -> None:
    turns, opened = talk(picture)[:length], bool(length % 2)
    tokenizer = pieces_of(scheme)
    encoder = PromptEncoder(tokenizer, 4)
    encode = encoder.prompt if opened else encoder.document
    ours = encode(document(turns), template).tokens.tolist()
    found = ids(tokenizer, jinja_of(template, tokenizer), turns, opened, tmp_path / "processor")
    assert found == ours
    assert found.count(IMAGE_TOKEN) == 4 * (3 if length == 5 else 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokenizers_own_agrees(tmp_path: Path, family: str, picture: str) -> None:
    tokenizer = chat_tokenizer(FAMILIES[family])
    encoder = PromptEncoder(tokenizer, 4)
    for number, length in enumerate((3, 4)):
        turns, opened = talk(picture)[:length], length == 3
        encode = encoder.prompt if opened else encoder.document
        ours = encode(document(turns), "tokenizer").tokens.tolist()
        again = chat_tokenizer(FAMILIES[family])
        jinja = jinja_of("tokenizer", again)
        assert ids(again, jinja, turns, opened, tmp_path / str(number)) == ours


def test_what_does_not_go_with_the_tokenizer_is_refused() -> None:
    tokenizer = chat_tokenizer(FAMILIES["mistral"])
    with pytest.raises(ConfigError, match=r"no special token <\|end_header_id\|>"):
        jinja_of("llama_3", tokenizer)
    tokenizer.chat_template = None
    with pytest.raises(ConfigError, match="has no chat_template"):
        jinja_of("tokenizer", tokenizer)


@pytest.mark.parametrize("roles", [("system", "user"), ("user", "user")])
def test_turns_that_no_prompt_has_are_refused(roles: tuple[str, ...]) -> None:
    tokenizer = pieces_of(None)
    tokenizer.chat_template = jinja_of("vicuna_v1", tokenizer)
    with pytest.raises(TemplateError, match="expected user and assistant in turn"):
        tokenizer.apply_chat_template([{"role": r, "content": "a"} for r in roles])


@pytest.mark.parametrize("change", ["other", "shorter", "longer"])
def test_the_first_token_that_differs_is_named(change: str) -> None:
    tokenizer = pieces_of("first")
    encoder = PromptEncoder(tokenizer, 4)
    given: Any = SimpleNamespace(
        tokenizer=tokenizer, model=SimpleNamespace(tokens_per_view=4), template="vicuna_v1"
    )
    found = {}
    for number, one in enumerate(CONVERSATIONS):
        encode = encoder.prompt if one.opened else encoder.document
        tokens = encode(one.document(b""), "vicuna_v1").tokens
        found[f"conversation.{number}"] = torch.from_numpy(tokens)
    assert compare_conversations(given, b"", found) == sum(map(len, found.values()))
    last = found["conversation.1"]
    if change == "other":
        found["conversation.1"] = last.clone()
        found["conversation.1"][3] = tokenizer.eos_token_id
        said = rf"token 3 of 'a second question': it has '</s>' \({tokenizer.eos_token_id}\), vilax"
    elif change == "shorter":
        found["conversation.1"] = last[:-1]
        said = f"token {len(last) - 1} of 'a second question': it has its end, vilax ':'"
    else:
        found["conversation.1"] = torch.cat([last, torch.tensor([-200])])
        said = f"token {len(last)} .*: it has a visual token, vilax its end"
    with pytest.raises(ConfigError, match=said):
        compare_conversations(given, b"", found)


def test_the_own_template_of_a_chat_tokenizer_gives_way(tmp_path: Path, picture: str) -> None:
    tokenizer = pieces_of(None)
    tokenizer.chat_template = QWEN
    turns = talk(picture)[:1]
    ours = PromptEncoder(tokenizer, 4).prompt(document(turns), "vicuna_v1").tokens.tolist()
    found = ids(tokenizer, jinja_of("vicuna_v1", tokenizer), turns, True, tmp_path / "p")
    assert found == ours
