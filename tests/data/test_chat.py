"""Chat templates: text and ids are transformers', labels come from segments, misfits are named."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chat_templates import EACH, FAMILIES, IM, Family, chat_tokenizer
from tests.data.writers import byte_tokenizer
from vilax.config.errors import ConfigError
from vilax.data.chat import PREAMBLE
from vilax.data.document import Document, Image, Segment, Text
from vilax.data.formats.files import BadSample
from vilax.data.prompt import IGNORE, IMAGE_TOKEN, Encoded, PromptEncoder

ENCODERS = {name: PromptEncoder(chat_tokenizer(family), 3) for name, family in FAMILIES.items()}


def talk(*texts: str, pictures: int = 0) -> Document:
    segments: list[Segment] = [Image(b"1") for _ in range(pictures)]
    for number, text in enumerate(texts):
        role = "assistant" if number % 2 else "user"
        segments.append(Text(text, loss=role == "assistant", role=role))
    return Document("key", "corpus", tuple(segments))


def messages(*texts: str) -> list[dict[str, str]]:
    roles = ["assistant" if number % 2 else "user" for number in range(len(texts))]
    return [{"role": r, "content": text} for r, text in zip(roles, texts, strict=True)]


def reference(encoder: PromptEncoder, texts: list[dict[str, str]], opened: bool) -> list[int]:
    """What transformers makes of it, with thinking off and one day for ever."""
    own = encoder.tokenizer.chat_template
    dated = PREAMBLE + own if "strftime_now" in own else own
    found = encoder.tokenizer.apply_chat_template(
        texts,
        chat_template=dated,
        add_generation_prompt=opened,
        enable_thinking=False,
        return_dict=False,
    )
    return list(found)


def supervised(encoder: PromptEncoder, encoded: Encoded) -> str:
    return encoder.tokenizer.decode(encoded.labels[encoded.labels != IGNORE])


@pytest.mark.parametrize("name", FAMILIES)
def test_ids_are_those_of_transformers(name: str) -> None:
    encoder = ENCODERS[name]
    texts = ["what is this ?", "this is the apple", "and this ?", "a lemon and a cat"]
    whole = encoder.document(talk(*texts), "tokenizer")
    assert whole.tokens.tolist() == reference(encoder, messages(*texts), opened=False)
    assert supervised(encoder, whole) == FAMILIES[name].supervised
    prompt = encoder.prompt(talk(*texts[:3]), "tokenizer")
    assert prompt.tokens.tolist() == reference(encoder, messages(*texts[:3]), opened=True)
    assert (prompt.labels == IGNORE).all()
    # What follows the prompt in training is what evaluation ranks and generates.
    answer = encoder.continuation(texts[3], "tokenizer")
    joined = [*prompt.tokens.tolist(), *answer]
    assert whole.tokens.tolist()[: len(joined)] == joined
    assert whole.tokens[len(joined)] in (*encoder.stops("tokenizer"), *encoder.text(" "))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(FAMILIES)),
    st.lists(st.text(max_size=12), min_size=1, max_size=4),
)
def test_any_text_is_written_as_transformers_writes_it_or_refused(
    name: str, texts: list[str]
) -> None:
    encoder = ENCODERS[name]
    try:
        whole = encoder.document(talk(*texts), "tokenizer")
    except BadSample:
        # What is said holds what the template itself looks for.
        assert any("think>" in text for text in texts)
        return
    wanted = encoder.tokenizer.apply_chat_template(
        messages(*(text.replace("<image>", "<IMAGE>") for text in texts)),
        chat_template=PREAMBLE + encoder.tokenizer.chat_template,
        tokenize=False,
    )
    if not FAMILIES[name].stripping:
        assert encoder.tokenizer.decode(whole.tokens) == wanted
    said = [text for number, text in enumerate(texts) if number % 2]
    marked = supervised(encoder, whole)
    for text in filter(None, (text.strip() for text in said)):
        assert text in marked
        marked = marked.partition(text)[2]


def test_pictures_stand_where_they_are_said() -> None:
    encoder = ENCODERS["qwen 2.5"]
    encoded = encoder.document(talk("what ?", "a dog", pictures=2), "tokenizer")
    spelled = encoder.tokenizer.decode([t if t >= 0 else 94 for t in encoded.tokens])
    bar = encoder.tokenizer.decode([94])
    assert f"user\n{3 * bar}\n{3 * bar}\nwhat ?<|im_end|>" in spelled
    assert (encoded.tokens == IMAGE_TOKEN).sum() == 6
    assert supervised(encoder, encoded) == "a dog<|im_end|>"
    raw = Document("raw", "corpus", (Image(b"1"), Text("a page")))
    assert encoder.document(raw, "tokenizer").tokens.tolist() == (
        encoder.document(raw, "raw").tokens.tolist()
    )


def test_markup_in_what_is_said_is_text() -> None:
    encoder = ENCODERS["qwen 2.5"]
    said = encoder.document(talk("a<|im_end|>b <image>", "c<|im_end|>"), "tokenizer")
    end = encoder.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert (said.tokens == end).sum() == 3
    assert "b <IMAGE>" in encoder.tokenizer.decode(said.tokens)
    assert supervised(encoder, said) == "c<|im_end|><|im_end|>"


PLAIN = EACH + "{{- m['role'] + ': ' + m['content'] + '<|im_end|>\\n' }}{%- endfor %}"
OPEN = "{%- if add_generation_prompt %}{{- 'assistant: ' }}{%- endif %}"


@pytest.mark.parametrize(
    ("jinja", "reason"),
    [
        ("", "has no chat_template"),
        (PLAIN + "{{- 'assistant: think! ' if add_generation_prompt }}", "at evaluation"),
        (PLAIN.replace("m['content']", "m['content'] | upper") + OPEN, "changes what is said"),
        (PLAIN.replace("m['content']", "m['content'] | replace('  ', ' ')") + OPEN, "changes what"),
        (PLAIN.replace("<|im_end|>", "") + OPEN, "no special token"),
        (PLAIN.replace("messages", "messages[-1:]") + OPEN, "leaves a turn out"),
        ("{{- raise_exception('no assistant') }}", "no assistant"),
        (EACH + "{{ m['content'] }", "refuses turns"),
    ],
)
def test_what_cannot_be_split_is_refused(jinja: str, reason: str) -> None:
    encoder = PromptEncoder(chat_tokenizer(Family(jinja, IM, "")), 1)
    with pytest.raises(ConfigError, match=reason) as caught:
        encoder.document(talk("a", "b"), "tokenizer")
    assert "template=tokenizer" in str(caught.value)
    assert "vicuna_v1" in str(caught.value)


def test_a_conversation_that_a_template_cannot_write_is_set_aside() -> None:
    gemma, qwen = ENCODERS["gemma 2"], ENCODERS["qwen 3"]
    answered_first = Document("odd", "corpus", (Text("well", role="assistant"),))
    with pytest.raises(BadSample, match="roles must alternate"):
        gemma.document(answered_first, "tokenizer")
    outside = Document("odd", "c", (Text("a"), *talk("b", "c").segments))
    with pytest.raises(BadSample, match="outside turns"):
        qwen.document(outside, "tokenizer")
    with pytest.raises(ConfigError, match=r"odd.*outside turns"):
        qwen.prompt(outside, "tokenizer")


def test_named_templates_want_their_tokens() -> None:
    for name in ("llama_3", "hermes-2"):
        with pytest.raises(ConfigError, match=rf"template={name}.*no special token <\|"):
            PromptEncoder(byte_tokenizer(), 1).document(talk("a", "b"), name)


def test_llama_3_and_hermes() -> None:
    llama = ENCODERS["llama 3"]
    texts = ["what is this ?", "this is the apple", "and this ?", "a lemon and a cat"]
    encoded = llama.document(talk(*texts), "llama_3")
    system = {"role": "system", "content": "You are a helpful language and vision assistant. You"
              " are able to understand the visual content that the user provides, and assist the"
              " user with a variety of tasks using natural language."}  # fmt: skip
    asked = [system, *messages(*texts)]
    assert encoded.tokens.tolist() == reference(llama, asked, opened=False)
    assert supervised(llama, encoded) == FAMILIES["llama 3"].supervised
    ends = ("<|eot_id|>", "<|end_of_text|>")
    assert llama.stops("llama_3") == llama.tokenizer.convert_tokens_to_ids(list(ends))
    hermes = PromptEncoder(chat_tokenizer(replace(FAMILIES["qwen 2.5"], bos="<|startoftext|>")), 2)
    encoded = hermes.document(talk(*texts, pictures=1), "hermes-2")
    shown = hermes.tokenizer.decode(encoded.tokens[encoded.tokens != IMAGE_TOKEN])
    assert shown == (
        "<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n\nwhat is this ?"
        "<|im_end|><|im_start|>assistant\nthis is the apple<|im_end|><|im_start|>user\nand this ?"
        "<|im_end|><|im_start|>assistant\na lemon and a cat<|im_end|>"
    )
    assert supervised(hermes, encoded) == FAMILIES["qwen 2.5"].supervised
    prompt = hermes.prompt(talk("what ?"), "hermes-2")
    assert hermes.tokenizer.decode(prompt.tokens).endswith("<|im_start|>assistant\n")
    end = hermes.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert hermes.stops("hermes-2") == [hermes.tokenizer.eos_token_id, end]
