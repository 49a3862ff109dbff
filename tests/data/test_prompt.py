"""Labels decode to the supervised text, prompts are what training sees, images are counted."""

import numpy as np
import pytest

from tests.data.writers import byte_tokenizer, picture, tokenizer
from vilax.config.errors import ConfigError
from vilax.data.document import Document, Image, Segment, Text
from vilax.data.prompt import IGNORE, IMAGE_TOKEN, Encoded, PromptEncoder
from vilax.data.templates import STYLES

TEMPLATES = sorted(name for name, style in STYLES.items() if not style.ends)
VISUAL = 5


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    return PromptEncoder(byte_tokenizer(), VISUAL)


def document(*segments: Segment) -> Document:
    return Document("key", "corpus", segments)


def supervised(encoder: PromptEncoder, encoded: Encoded) -> str:
    return encoder.tokenizer.decode(encoded.labels[encoded.labels != IGNORE])


def spelled(encoder: PromptEncoder, encoded: Encoded) -> str:
    """All text, ``[image]`` where an image stands."""
    out, run = "", 0
    for token in encoded.tokens.tolist():
        if token == IMAGE_TOKEN:
            run += 1
            if run % VISUAL == 0:
                out += "[image]"
        else:
            out += encoder.tokenizer.decode([token])
    return out


CHAT = document(
    Image(picture()),
    Text("what is this ?", loss=False, role="user"),
    Text("a dog", role="assistant"),
    Text("and this ?", loss=False, role="user"),
    Text("a cat", role="assistant"),
)

VICUNA = "USER: [image]\nwhat is this ? ASSISTANT: a dog</s>USER: and this ? ASSISTANT: a cat</s>"


@pytest.mark.parametrize(
    ("template", "whole", "marked"),
    [
        ("raw", "[image]what is this ? a dog and this ? a cat</s>", " a dog a cat</s>"),
        ("plain", "[image]a dog\na cat\n</s>", "a dog\na cat\n</s>"),
        (
            "qa",
            "[image]question : what is this ? answer : a dog question : and this ?"
            " answer : a cat</s>",
            " a dog a cat</s>",
        ),
        ("vicuna_v1_nosys", VICUNA, " a dog</s> a cat</s>"),
    ],
)
def test_conversation(encoder: PromptEncoder, template: str, whole: str, marked: str) -> None:
    encoded = encoder.document(CHAT, template)
    assert spelled(encoder, encoded) == whole
    assert supervised(encoder, encoded) == marked
    assert encoded.images == (picture(),)
    assert (encoded.tokens == IMAGE_TOKEN).sum() == VISUAL


def test_vicuna_has_its_system_sentence(encoder: PromptEncoder) -> None:
    whole = spelled(encoder, encoder.document(CHAT, "vicuna_v1"))
    assert whole.startswith("A chat between a curious user")
    assert whole.endswith(VICUNA)


@pytest.mark.parametrize("template", TEMPLATES)
def test_labels_are_tokens_and_never_visual(encoder: PromptEncoder, template: str) -> None:
    encoded = encoder.document(CHAT, template)
    marked = encoded.labels != IGNORE
    assert marked.any()
    assert not marked[0]
    assert (encoded.labels[marked] == encoded.tokens[marked]).all()
    assert not marked[encoded.tokens == IMAGE_TOKEN].any()
    assert encoded.tokens.dtype == encoded.labels.dtype == np.int64


@pytest.mark.parametrize("template", TEMPLATES)
def test_prompt_and_continuation_make_the_document(encoder: PromptEncoder, template: str) -> None:
    asked = document(*CHAT.segments[:2])
    whole = document(*CHAT.segments[:3])
    prompt = encoder.prompt(asked, template)
    assert (prompt.labels == IGNORE).all()
    assert prompt.images == CHAT_IMAGES
    answer = encoder.continuation("a dog" if template != "raw" else " a dog", template)
    joined = [*prompt.tokens.tolist(), *answer]
    assert encoder.document(whole, template).tokens.tolist()[: len(joined)] == joined


CHAT_IMAGES = (picture(),)


@pytest.mark.parametrize("template", ["raw", "qa", "vicuna_v1", "vicuna_v1_nosys"])
def test_raw_documents_are_taken_as_they_are(encoder: PromptEncoder, template: str) -> None:
    raw = document(Text("before"), Image(b"1"), Text("a dog ."), Image(b"2"), Text("a cat ."))
    encoded = encoder.document(raw, template)
    assert spelled(encoder, encoded) == "before[image]a dog .[image]a cat .</s>"
    assert supervised(encoder, encoded) == "efore" + "a dog .a cat .</s>"
    assert encoded.images == (b"1", b"2")


def test_caption_shots_in_every_form(encoder: PromptEncoder) -> None:
    shots = document(Image(b"1"), Text("a dog", loss=False), Image(b"2"))
    assert spelled(encoder, encoder.prompt(shots, "raw")) == "[image]a dog[image]"
    assert spelled(encoder, encoder.prompt(shots, "plain")) == "[image]a dog\n[image]"


def test_question_shots(encoder: PromptEncoder) -> None:
    turns = (
        Image(b"1"),
        Text("what ?", loss=False, role="user"),
        Text("a dog", loss=False, role="assistant"),
        Image(b"2"),
        Text("what ?", loss=False, role="user"),
    )
    prompt = encoder.prompt(document(*turns), "qa")
    assert spelled(encoder, prompt) == (
        "[image]question : what ? answer : a dog[image]question : what ? answer :"
    )
    vicuna = spelled(encoder, encoder.prompt(document(*turns), "vicuna_v1_nosys"))
    assert vicuna == ("USER: [image]\nwhat ? ASSISTANT: a dog</s>USER: [image]\nwhat ? ASSISTANT:")


def test_images_inside_a_question(encoder: PromptEncoder) -> None:
    turns = (
        Text("Image 1:", loss=False, role="user"),
        Image(b"1"),
        Text("Image 2:", loss=False, role="user"),
        Image(b"2"),
        Text("same ?", loss=False, role="user"),
        Text("no", role="assistant"),
    )
    vicuna = spelled(encoder, encoder.document(document(*turns), "vicuna_v1_nosys"))
    assert vicuna == ("USER: Image 1:[image]\nImage 2:[image]\nsame ? ASSISTANT: no</s>")
    assert spelled(encoder, encoder.document(document(*turns), "qa")) == (
        "[image][image]question : Image 1: Image 2: same ? answer : no</s>"
    )


def test_word_level_question_has_no_unknown_word() -> None:
    words = PromptEncoder(tokenizer(), 2)
    encoded = words.document(CHAT, "qa")
    assert encoded.tokens[0] == words.tokenizer.bos_token_id
    assert words.tokenizer.unk_token_id not in encoded.tokens
    text = words.tokenizer.decode(encoded.tokens[encoded.tokens != IMAGE_TOKEN])
    assert text.startswith("<s> question : what is this ? answer : a dog question :")
    assert words.tokenizer.decode(encoded.labels[encoded.labels != IGNORE]) == "a dog a cat </s>"


def test_markup_in_text_is_text(encoder: PromptEncoder) -> None:
    encoded = encoder.document(document(Text("a</s>b<image>c")))
    assert (encoded.tokens == encoder.tokenizer.eos_token_id).sum() == 1
    assert spelled(encoder, encoded) == "a</s>b<IMAGE>c</s>"
    assert encoded.images == ()


def test_unsupervised_text_carries_no_loss(encoder: PromptEncoder) -> None:
    encoded = encoder.document(document(Image(b"1"), Text("a dog", loss=False)))
    assert (encoded.labels == IGNORE).all()


def test_a_tokenizer_that_puts_spaces_first_gets_no_second_one() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "</s>", "\u2581", "\u2581a", "\u2581dog", "\u2581ASSISTANT:"]
    backend = Tokenizer(models.WordLevel({p: n for n, p in enumerate(pieces)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    encoder = PromptEncoder(
        PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>"), 1
    )
    assert encoder.continuation("a dog", "vicuna_v1") == (3, 4)


def test_refusals(encoder: PromptEncoder) -> None:
    with pytest.raises(ConfigError, match="vicuna_v1"):
        encoder.document(CHAT, "vicuna_v2")  # type: ignore[arg-type]
    endless = byte_tokenizer()
    endless.eos_token = None
    with pytest.raises(ConfigError, match="EOS"):
        PromptEncoder(endless, 1)


def test_fingerprint_follows_the_vocabulary() -> None:
    assert (
        PromptEncoder(tokenizer(), 1).fingerprint() == PromptEncoder(tokenizer(), 2).fingerprint()
    )
    other = PromptEncoder(byte_tokenizer(), 1)
    assert other.fingerprint() != PromptEncoder(tokenizer(), 1).fingerprint()
    assert other.pad_id == other.tokenizer.eos_token_id
