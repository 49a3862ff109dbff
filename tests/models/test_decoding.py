"""Generation and likelihoods: the same alone, in a batch and after shared first tokens."""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny import SIZES
from vilax.models.decoding import PIECE, generate, score
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel

PICTURE = [-200] * 4
WINDOW = 6
"""Shorter than the prompts, so that a sliding window leaves tokens out."""

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2},
    "mistral": {"sliding_window": WINDOW},
    "gemma2": {"head_dim": 8, "sliding_window": WINDOW, "query_pre_attn_scalar": 8},
    "gemma3_text": {"head_dim": 8, "sliding_window": WINDOW, "query_pre_attn_scalar": 8},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
}
"""Grouped heads, sliding windows, soft caps, and layers without positions."""

Features = list[torch.Tensor | None]


@pytest.fixture(scope="module")
def encoder() -> TimmEncoder:
    torch.manual_seed(1)
    return TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, encoder: TimmEncoder) -> VisionLanguageModel:
    # Weights large enough that answers depend on the prompt.
    sizes = SIZES | {"initializer_range": 0.3} | FAMILIES[request.param]
    kernel = "eager" if request.param == "gemma2" else "sdpa"
    torch.manual_seed(2)
    llm = LanguageModel.scratch(request.param, sizes, kernel, torch.device("cpu"))
    return VisionLanguageModel(encoder, LinearProjector(encoder.width, 32), llm).eval()


def prompts() -> list[list[int]]:
    return [[5, 6, 7], [9, *PICTURE, 11, 12, 13, 14], [*PICTURE, 8]]


def shots(start: list[int]) -> list[list[int]]:
    """Prompts that begin alike; some differ in length by more than what they may share."""
    return [
        [*start, *PICTURE, 20],
        [*start, 21],
        [*start, 22, 23, *PICTURE, 22, 23],
        [*start, 24, 25, *PICTURE, 26],
    ]


def pictures(rows: Sequence[Sequence[int]], shared: int = 0, width: int = 1280) -> Features:
    """Random features; the pictures within the first ``shared`` tokens are the same in all rows."""
    generator = torch.Generator().manual_seed(4)
    common = torch.randn(list(rows[0][:shared]).count(-200) // 4, 4, width, generator=generator)
    own = [
        torch.randn(list(row[shared:]).count(-200) // 4, 4, width, generator=generator)
        for row in rows
    ]
    return [
        torch.cat([common, some]) if -200 in row else None
        for row, some in zip(rows, own, strict=True)
    ]


def reference(
    model: VisionLanguageModel, prompt: list[int], features: torch.Tensor | None, new: int
) -> list[int]:
    """Greedy answer of transformers to one prompt."""
    with torch.inference_mode():
        embeddings = model.embed(torch.tensor([prompt]), features)
        out: list[int] = model.llm.net.generate(  # type: ignore[operator]
            inputs_embeds=embeddings,
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=new,
            do_sample=False,
            eos_token_id=[2],
            pad_token_id=0,
        )[0].tolist()
    return out[: out.index(2)] if 2 in out else out


def likelihood(
    model: VisionLanguageModel, prompt: list[int], features: torch.Tensor | None, more: list[int]
) -> float:
    """Log-likelihood by one full forward pass."""
    tokens = torch.tensor([[*prompt, *more]])
    with torch.inference_mode():
        hidden = model.llm(model.embed(tokens, features), torch.arange(tokens.shape[1])[None])
        log_probs = model.llm.logits(hidden[0, len(prompt) - 1 : -1]).double().log_softmax(-1)
    return float(log_probs.gather(1, torch.tensor(more)[:, None]).sum())


CASES = {
    "nothing shared": (prompts(), 0),
    "text shared": (shots([3, 4, 5, 6, 7, 8, 9, 10]), 8),
    "pictures shared": (shots([3, *PICTURE, 4, *PICTURE, 5, 6]), 11),
    "a picture shared up to its end": (shots([3, 4, *PICTURE]), 6),
    "one token shared": (shots([3]), 1),
}


@pytest.mark.parametrize("piece", [1024, 20, 1])
@pytest.mark.parametrize("case", CASES)
def test_answers_are_those_of_transformers_one_by_one(
    family: VisionLanguageModel, case: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PIECE, "cpu", piece)
    rows, shared = CASES[case]
    features = pictures(rows, shared)
    answers = generate(family, rows, features, 8, stop_ids=[2], pad_id=0, shared=shared)
    assert answers == [
        reference(family, row, some, 8) for row, some in zip(rows, features, strict=True)
    ]
    assert len({tuple(answer) for answer in answers}) > 1


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_full_forward_passes(family: VisionLanguageModel, case: str) -> None:
    rows, shared = CASES[case]
    features = pictures(rows, shared)
    candidates = [[[3], [4, 5]], [[6, 7, 8, 9], [9]], [[10], [11]], [[12, 13]]][: len(rows)]
    found = score(family, rows, candidates, features, pad_id=0, shared=shared)
    for row, some, mine, values in zip(rows, features, candidates, found, strict=True):
        for candidate, value in zip(mine, values, strict=True):
            assert value == pytest.approx(likelihood(family, row, some, candidate), abs=1e-5, rel=0)


@settings(max_examples=25, deadline=None, database=None)
@given(st.data())
def test_any_partition_gives_the_same(data: st.DataObject) -> None:
    model = _small()
    token = st.integers(3, 60)
    start = data.draw(st.lists(st.one_of(token.map(lambda t: [t]), st.just(PICTURE)), max_size=5))
    shared = sum(map(len, start))
    own = data.draw(st.lists(st.lists(token, min_size=1, max_size=12), min_size=2, max_size=6))
    rows = [[*chain(*start), *one] for one in own]
    features = pictures(rows, shared)
    cut = data.draw(st.integers(0, len(rows)))
    candidates = [[[3, 4, 5], [6], [7, 8]]] * len(rows)

    whole = generate(model, rows, features, 6, [2, 9], 0, shared=shared)
    parts: list[list[int]] = []
    scores: list[list[float]] = []
    for part in (slice(0, cut), slice(cut, None)):
        parts += generate(model, rows[part], features[part], 6, [2, 9], 0)
        scores += score(model, rows[part], candidates[part], features[part], 0)
    assert whole == parts
    together = score(model, rows, candidates, features, 0, shared=shared)
    assert torch.allclose(torch.tensor(together), torch.tensor(scores), atol=1e-5, rtol=0)


@cache
def _small() -> VisionLanguageModel:
    torch.manual_seed(3)
    sizes = SIZES | {"initializer_range": 0.3}
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    return VisionLanguageModel(encoder, LinearProjector(encoder.width, 32), llm).eval()


def test_stop_token_ends_an_answer(tiny_vlm: VisionLanguageModel) -> None:
    free = generate(tiny_vlm, [[5, 6, 7]], [None], 4, stop_ids=[2], pad_id=0)[0]
    stopped = generate(tiny_vlm, [[5, 6, 7]], [None], 4, stop_ids=[2, free[1]], pad_id=0)[0]
    assert stopped == free[: free.index(free[1])]


def test_rows_that_end_early_leave_the_others_as_they_are(family: VisionLanguageModel) -> None:
    rows = [[5 + at, *range(3, 4 + at)] for at in range(12)]
    features: Features = [None] * len(rows)
    free = generate(family, rows, features, 12, [], 0)
    lengths = iter(range(1, 13))
    ends = {answer[0]: next(lengths) for answer in free}

    def finished(answer: Sequence[int]) -> bool:
        return len(answer) == ends[answer[0]]

    stopped = generate(family, rows, features, 12, [], 0, finished=finished)
    assert stopped == [answer[: ends[answer[0]]] for answer in free]
    assert len({len(answer) for answer in stopped}) > 3


def test_the_last_token_asked_for_is_kept(tiny_vlm: VisionLanguageModel) -> None:
    two = generate(
        tiny_vlm, [[5, 6, 7]], [None], 9, [2], 0, finished=lambda answer: len(answer) == 2
    )
    assert two == generate(tiny_vlm, [[5, 6, 7]], [None], 2, [2], 0)
    assert generate(tiny_vlm, [[5, 6, 7]], [None], 0, [2], 0) == [[]]


def test_longer_than_the_room_that_the_cache_keeps(family: VisionLanguageModel) -> None:
    answer = generate(family, [[5, 6, 7]], [None], 100, [], 0)[0]
    assert len(answer) == 100
    assert answer[:20] == generate(family, [[5, 6, 7]], [None], 20, [], 0)[0]


def test_bf16_decodes_and_scores_in_fp32(family: VisionLanguageModel) -> None:
    rows, shared = CASES["pictures shared"]
    features = pictures(rows, shared)
    candidates = [[[3], [4, 5]]] * len(rows)
    full = score(family, rows, candidates, features, 0, shared=shared)
    family.to(torch.bfloat16)
    try:
        half: Features = [None if some is None else some.bfloat16() for some in features]
        answers = generate(family, rows, half, 4, [2], 0, shared=shared)
        found = score(family, rows, candidates, half, 0, shared=shared)
    finally:
        family.float()
    assert all(len(answer) <= 4 for answer in answers)
    assert torch.tensor(found).allclose(torch.tensor(full), rtol=0.2, atol=0.5)
    # Sums of bf16 numbers would be bf16 numbers.
    assert any(float(torch.tensor(value).bfloat16()) != value for some in found for value in some)


def test_shared_tokens_that_are_not_shared_are_refused(tiny_vlm: VisionLanguageModel) -> None:
    none: Features = [None, None]
    for rows in ([[5, 6, 7], [5, 8, 7]], [[5, 6], [5, 6, 7]]):
        with pytest.raises(ValueError, match="begin with 2 same tokens"):
            generate(tiny_vlm, rows, none, 2, [2], 0, shared=2)
    rows = [[5, *PICTURE, 6], [5, *PICTURE, 7]]
    with pytest.raises(ValueError, match="within a picture"):
        score(tiny_vlm, rows, [[[3]]] * 2, pictures(rows), 0, shared=3)


def test_no_prompts_no_answers(tiny_vlm: VisionLanguageModel) -> None:
    assert generate(tiny_vlm, [], [], 4, [2], 0) == []
    assert score(tiny_vlm, [], [], [], 0) == []
