"""Measures against loops written out, and what must not change them."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.test_families import build
from vilax.data.document import Document, Image, Text
from vilax.evaluation import measures
from vilax.evaluation.measures import Losses, by_pictures, by_position, chamfer
from vilax.evaluation.subject import Subject
from vilax.micro.tokenizer import build_tokenizer


def page(key: str, *texts: str, opening: str = "") -> Document:
    segments: list[Image | Text] = [Text(opening, loss=True)] if opening else []
    for text in texts:
        segments += [Image(key.encode()), Text(text, loss=True)]
    return Document(key, "pages", tuple(segments))


PAGES = [
    page("a", "the cat .", "the apple .", "look at the lemon ."),
    page("b", "the cat and the apple .", opening="people say fruit about things like this ."),
]
PLAIN = [Document("t", "text", (Text("the cat can be called cat", loss=True),))]


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder: Path = tmp_path_factory.mktemp("llm")
    model = build("llama 2", folder).eval()
    assert model.encoder is not None
    width = model.encoder.width

    def features(pictures: list[bytes]) -> torch.Tensor:
        torch.manual_seed(7)
        return torch.randn(len(pictures), 4, width)

    return Subject(model, build_tokenizer(), features)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_chamfer_is_its_formula(m: int, n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(m, 5, generator=generator), torch.randn(n, 5, generator=generator)

    def cosine(i: int, j: int) -> float:
        return float(x[i] @ y[j] / (x[i].norm() * y[j].norm()))

    there = sum(max(cosine(i, j) for j in range(n)) for i in range(m)) / m
    back = sum(max(cosine(i, j) for i in range(m)) for j in range(n)) / n
    assert chamfer(x, y) == pytest.approx(0.5 * (there + back), abs=1e-5)
    assert chamfer(3 * x, 0.1 * y) == pytest.approx(chamfer(x, y), abs=1e-6)
    assert chamfer(x, x) == pytest.approx(1.0)


def test_chamfer_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="visual and textual"):
        chamfer(torch.zeros(0, 3), torch.ones(2, 3))


def test_alignment_has_a_value_for_each_layer(subject: Subject) -> None:
    found = measures.alignment(subject, PAGES, "raw")
    blocks = len(list(subject.model.llm.blocks()))
    assert found["layers"] == list(range(blocks + 1))
    assert found["documents"] == 2
    assert all(-1 <= value <= 1 for value in found["values"])
    # What the LLM is given is known without running it.
    first = measures.alignment(subject, PAGES[:1], "raw")["values"][0]
    encoded = subject.prompts.document(PAGES[0])
    tokens = torch.tensor(encoded.tokens)
    assert subject.features is not None
    given = subject.model.embed(tokens[None], subject.features(encoded.images))[0]
    visual = tokens < 0
    assert first == pytest.approx(chamfer(given[visual], given[~visual]), abs=1e-6)


def test_losses_sum_to_what_training_takes(subject: Subject) -> None:
    found = measures.losses(subject, PAGES, "raw")
    total = 0.0
    for document in PAGES:
        encoded = subject.prompts.document(document)
        tokens, labels = torch.tensor(encoded.tokens)[None], torch.tensor(encoded.labels)[None]
        assert subject.features is not None
        with torch.no_grad():
            total += float(
                subject.model(
                    tokens,
                    torch.arange(tokens.shape[1])[None],
                    labels,
                    subject.features(encoded.images),
                )
            )
    assert float(found.nll.sum()) == pytest.approx(total, rel=1e-5)
    for curve in (by_pictures(found), by_position(found)):
        pairs = zip(curve["loss"], curve["tokens"], strict=True)
        assert sum(loss * n for loss, n in pairs if loss is not None) == pytest.approx(total)


def test_pictures_in_front_are_counted(subject: Subject) -> None:
    found = measures.losses(subject, [PAGES[1]], "raw")
    # A document's first token carries no loss.
    tokens = subject.prompts.document(PAGES[1]).tokens.tolist()
    opening = tokens.index(-200) - 1
    assert opening > 4
    assert found.pictures.tolist()[:opening] == [0] * opening
    assert set(found.pictures.tolist()[opening:]) == {1}
    assert by_pictures(found)["images"] == [0, 1]


def test_bins_without_a_token_have_no_loss() -> None:
    found = Losses(torch.tensor([1.0, 3.0]), torch.tensor([1, 20]), torch.tensor([0, 2]))
    assert by_position(found)["loss"] == [1.0, None, 3.0]
    assert by_pictures(found) == {
        "images": [0, 1, 2],
        "loss": [1.0, None, 3.0],
        "tokens": [1, 0, 1],
    }


def test_an_llm_has_not_drifted_from_itself(subject: Subject) -> None:
    found = measures.drift(subject, subject, PLAIN)
    assert found["perplexity"] == found["base_perplexity"]
    assert math.log(found["perplexity"]) == pytest.approx(
        measures.losses(subject, PLAIN, "raw").mean
    )
