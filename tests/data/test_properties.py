"""Over random blends: packing changes neither loss nor gradient, and a place is exact."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.writers import conversation, page, picture, tokenizer, write_lines, write_pairs
from tests.tiny import SIZES
from vilax.config.schema.data import Blend
from vilax.data.document import Document, Image, Text
from vilax.data.engine import CorpusSource, Stream
from vilax.data.formats import open_corpus
from vilax.data.packing import PackedBatch, Row, choose_rows, pack
from vilax.data.prompt import IGNORE, Encoded, PromptEncoder
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel

VISUAL = 4
LENGTH = 96

words = st.lists(st.integers(0, 199).map("w{}".format), min_size=1, max_size=9).map(" ".join)
segments = st.lists(
    st.builds(Text, words, st.booleans()) | st.builds(Image, st.integers(0, 30).map(picture)),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def model() -> VisionLanguageModel:
    torch.manual_seed(0)
    sizes = SIZES | {"vocab_size": len(tokenizer())}
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    return VisionLanguageModel(encoder, LinearProjector(encoder.width, 32), llm).double().eval()


def features(images: tuple[bytes, ...], width: int) -> torch.Tensor | None:
    """Different for each picture, the same wherever it stands."""
    if not images:
        return None
    seeds = [int.from_bytes(data[-40:-30], "big") % 2**31 for data in images]
    drawn = [np.random.default_rng(seed).normal(size=(VISUAL, width)) for seed in seeds]
    return torch.from_numpy(np.stack(drawn))


def summed(model: VisionLanguageModel, rows: list[Row]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Loss over the rows and its gradients."""
    model.zero_grad(set_to_none=True)
    total = torch.zeros((), dtype=torch.float64)
    for row in rows:
        batch = PackedBatch.from_rows([row])
        given = features(row.images, model.encoder.width)  # type: ignore[union-attr]
        loss = model(batch.tokens, batch.positions, batch.labels, features=given)
        loss.backward()
        total += loss.detach()
    parts = [*model.llm.parameters(), *model.projector.parameters()]
    return total, [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parts]


@given(st.lists(segments, min_size=1, max_size=6))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_packing_changes_neither_loss_nor_gradient(
    model: VisionLanguageModel, shapes: list[list[Text | Image]]
) -> None:
    encoder = PromptEncoder(tokenizer(), VISUAL)
    documents = [
        encoder.document(Document(f"d{n}", "c", tuple(shape))) for n, shape in enumerate(shapes)
    ]
    usable = [d for d in documents if (d.labels != IGNORE).any() and len(d.tokens) <= LENGTH]
    packed: list[Row] = []
    waiting: list[Encoded] = usable
    while waiting:
        chosen = choose_rows([len(d.tokens) for d in waiting], LENGTH)
        packed += [pack([waiting[i] for i in row], LENGTH, 0) for row in chosen]
        gone = {i for row in chosen for i in row}
        waiting = [d for i, d in enumerate(waiting) if i not in gone]
    alone = [pack([d], len(d.tokens), 0) for d in usable]
    loss, gradients = summed(model, packed)
    expected, wanted = summed(model, alone)
    assert torch.allclose(loss, expected, rtol=1e-6)
    for ours, theirs in zip(gradients, wanted, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    rng = np.random.default_rng(0)

    def text(most: int) -> str:
        return " ".join(f"w{n}" for n in rng.integers(0, 200, rng.integers(1, most)))

    write_lines(folder / "text/0.jsonl", [{"text": text(70)} for _ in range(60)])
    write_pairs(folder / "pairs/0.tar", [text(9) for _ in range(40)])
    write_lines(folder / "pages/p.jsonl", [page([text(9), text(20)], []) for _ in range(30)])
    write_lines(folder / "chat/c.jsonl", [conversation([text(9), text(6)]) for _ in range(30)])
    return folder


@given(
    chosen=st.dictionaries(
        st.sampled_from(["text", "pairs", "pages", "chat"]),
        st.sampled_from([0.3, 1.0, 2.0]),
        min_size=1,
    ),
    per=st.sampled_from(["documents", "tokens"]),
    buffers=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    streams=st.integers(1, 3),
    images=st.sampled_from([None, 3]),
    at=st.integers(0, 25),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_place_in_any_blend_is_exact(
    corpora: Path,
    chosen: dict[str, float],
    per: str,
    buffers: tuple[int, int],
    streams: int,
    images: int | None,
    at: int,
) -> None:
    blend = Blend(
        corpora=chosen,
        per=per,  # type: ignore[arg-type]
        shuffle_buffer=buffers[0],
        packing_buffer=buffers[1],
        streams=streams,
    )

    def opened() -> Stream:
        sources = {
            name: CorpusSource(open_corpus(name, corpora / name), "qa" if name == "chat" else "raw")
            for name in chosen
        }
        encoder = PromptEncoder(tokenizer(), VISUAL)
        return Stream(sources, blend, encoder, 48, 1, streams - 1, corpora / "q", images)

    whole = opened()
    list(islice(whole, at))
    state = json.loads(json.dumps(whole.state()))
    again = opened()
    again.restore(state)
    for expected, found in zip(islice(whole, 12), islice(again, 12), strict=True):
        assert expected.keys == found.keys
        assert expected.images == found.images
        assert (expected.tokens == found.tokens).all()
        assert (expected.labels == found.labels).all()
    assert whole.counts == again.counts
