"""Each token is named rightly: template, question, answer, picture, special."""

import numpy as np
import pytest

from tests.chat_templates import FAMILIES, chat_tokenizer
from tests.data.inspect.test_spelling import piece_tokenizer
from tests.data.writers import byte_tokenizer, picture, tokenizer
from vilax.data.document import Document, Image, Text
from vilax.data.inspect import MarkedEncoder
from vilax.data.inspect.marking import Part
from vilax.data.prompt import PromptEncoder
from vilax.data.splitting import split_long
from vilax.data.templates import STYLES

VISUAL = 3
DIALOG = Document(
    "one",
    "corpus",
    (
        Image(picture()),
        Text("USER: what is this?", False, "user"),
        Text("a dog", True, "assistant"),
        Text("and this?", False, "user"),
        Text("a cat", True, "assistant"),
    ),
)


def stretches(encoder: MarkedEncoder, encoded, marked) -> dict[Part, str]:
    """All text of each kind."""
    found: dict[Part, str] = {}
    for part in set(marked.parts.tolist()) - {Part.IMAGE}:
        ids = encoded.tokens[marked.parts == part].tolist()
        found[Part(part)] = "".join(encoder.spelling.texts(ids))
    return found


def llama_3():
    return chat_tokenizer(FAMILIES["llama 3"])


def qwen():
    return chat_tokenizer(FAMILIES["qwen 2.5"])


MADE = {
    (template, make)
    for make in (byte_tokenizer, tokenizer, piece_tokenizer)
    for template in STYLES
    if not STYLES[template].ends
}
MADE |= {("llama_3", llama_3), ("hermes-2", qwen), ("tokenizer", llama_3), ("tokenizer", qwen)}


@pytest.mark.parametrize(("template", "make"), sorted(MADE, key=str))
def test_tokens_are_those_of_training(template, make) -> None:
    plain, marked = PromptEncoder(make(), VISUAL), MarkedEncoder(make(), VISUAL)
    one, other = plain.document(DIALOG, template), marked.document(DIALOG, template)
    assert np.array_equal(one.tokens, other.tokens)
    assert np.array_equal(one.labels, other.labels)
    explained = marked.explain(other, 4096, None)
    assert explained is not None and len(explained.parts) == len(one.tokens)
    assert (explained.parts == Part.IMAGE).sum() == VISUAL


def test_a_question_that_quotes_the_template_is_a_question() -> None:
    encoder = MarkedEncoder(byte_tokenizer(), VISUAL)
    encoded = encoder.document(DIALOG, "vicuna_v1")
    found = stretches(encoder, encoded, encoder.explain(encoded, 4096, None))
    assert "".join(found[Part.USER].split()) == "USER:whatisthis?andthis?"
    assert found[Part.ASSISTANT] == " a dog a cat"
    assert found[Part.FRAME].count("ASSISTANT:") == 2
    assert found[Part.SPECIAL] == "</s></s>"


def test_a_chat_template_is_told_from_what_is_said() -> None:
    encoder = MarkedEncoder(llama_3(), VISUAL)
    encoded = encoder.document(DIALOG, "tokenizer")
    found = stretches(encoder, encoded, encoder.explain(encoded, 4096, None))
    assert found[Part.ASSISTANT] == "a doga cat"
    assert "".join(found[Part.USER].split()) == "USER:whatisthis?andthis?"
    assert found[Part.FRAME].split() == ["user", "assistant"] * 2
    assert found[Part.SPECIAL].count("<|eot_id|>") == 4


def test_pieces_of_a_document_are_told_apart() -> None:
    encoder = MarkedEncoder(byte_tokenizer(), VISUAL)
    page = Document("p", "corpus", tuple(Text(f"sentence {n} of many. ") for n in range(12)))
    pieces = split_long(encoder.document(page), 64, None)
    assert len(pieces) > 2
    start = 0
    for number, piece in enumerate(pieces, 1):
        marked = encoder.explain(piece, 64, None)
        assert marked is not None
        assert (marked.piece, marked.pieces, marked.start) == (number, len(pieces), start)
        start += len(piece.tokens)


def test_a_document_that_another_replaced_is_not_explained_wrongly() -> None:
    encoder = MarkedEncoder(byte_tokenizer(), VISUAL)
    first = encoder.document(Document("same", "corpus", (Text("first"),)))
    encoder.document(Document("same", "corpus", (Text("other"),)))
    assert encoder.explain(first, 64, None) is None
