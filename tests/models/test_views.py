"""Pictures in views: chosen, joined, projected and read in their order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.models.test_vlm import pack
from tests.tiny import SIZES
from vilax.data.tiles import Anyres, InternvlTiling, TileTokens
from vilax.models.decoding import generate, score
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import DownsampleProjector, LinearProjector, Projector
from vilax.models.views import Views, joined, tokens_of
from vilax.models.vlm import IGNORE, IMAGE_TOKEN, VisionLanguageModel
from vilax.training.tiled import as_views, blank_views

SIDE = 4
"""Features along a side of a view."""

WIDTH = 1280
LINED = {"anyres": Anyres(64, ((1, 2), (2, 1), (2, 2))), "internvl": InternvlTiling(64, 4)}
PICTURES = [(100, 40), (64, 64), (30, 90), (128, 128)]


def model_for(policy: str, projector: Projector | None = None) -> VisionLanguageModel:
    torch.manual_seed(0)
    sizes = SIZES | {"max_position_embeddings": 512, "initializer_range": 0.3}
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=SIDE)
    projector = projector or LinearProjector(WIDTH, 32)
    if policy == "anyres":
        projector.add_newline(32)
    return VisionLanguageModel(encoder, projector, llm).eval()


def rule_of(policy: str, model: VisionLanguageModel) -> TileTokens:
    return TileTokens(LINED[policy], model.tokens_per_view)


def views_of(rule: TileTokens, sizes: list[tuple[int, int]], seed: int = 0) -> Views:
    counts = [rule.tiling.views(size) for size in sizes]
    values = torch.randn(
        sum(counts), SIDE * SIDE, WIDTH, generator=torch.Generator().manual_seed(seed)
    )
    return as_views(values, counts, sizes, rule)


def document(seed: int, spans: list[int], words: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Two words, pictures with a word behind each, more words."""
    own = torch.randint(3, 61, (words,), generator=torch.Generator().manual_seed(seed))
    pieces = [own[:2]]
    for span in spans:
        pieces += [torch.full((span,), IMAGE_TOKEN), own[2:3]]
    tokens = torch.cat([*pieces, own[3:]])
    labels = tokens.masked_fill(tokens == IMAGE_TOKEN, IGNORE)
    labels[0] = IGNORE
    return tokens, labels


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.data())
def test_chosen_and_joined_views_are_the_same_pictures(counts: list[int], data) -> None:
    values = torch.arange(sum(counts)).float()[:, None, None].expand(-1, 2, 1)
    orders = tuple(torch.tensor([2 * count - 1, -1, 0]) for count in counts)
    views = Views(values, tuple(counts), orders)
    ends = torch.tensor(counts).cumsum(0).tolist()

    def shown(some: Views) -> list[list[float]]:
        flat = torch.cat([some.values.flatten(), torch.tensor([-1.0])])
        return flat[some.order(2)].view(-1, 3).tolist()

    own = [[end - 1, -1, end - count] for end, count in zip(ends, counts, strict=True)]
    assert shown(views) == own
    which = data.draw(st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=9))
    assert shown(views[which]) == [own[one] for one in which]
    cut = data.draw(st.integers(0, len(counts)))
    parts = [part for part in (views[:cut], views[cut:]) if len(part)]
    assert shown(joined(parts)) == own
    assert tokens_of(views, 2) == [3] * len(counts)
    assert tokens_of(torch.zeros(2, 5, 1), 7) == [7, 7]


@pytest.mark.parametrize("policy", LINED)
def test_packed_pictures_of_different_token_counts_are_as_if_alone(policy: str) -> None:
    model = model_for(policy)
    rule = rule_of(policy, model)
    shown = [[0, 1], [2], [3], []]
    views = views_of(rule, PICTURES)
    documents = [
        document(seed, [rule(PICTURES[one]) for one in some]) for seed, some in enumerate(shown)
    ]
    assert len({rule(size) for size in PICTURES}) > 1
    length = sum(len(tokens) for tokens, _ in documents) + 5
    packed = model(*pack(documents, length), features=views)
    packed.backward()
    together = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    alone = torch.zeros(())
    for one, some in zip(documents, shown, strict=True):
        loss = model(*pack([one], len(one[0])), features=views[some] if some else None)
        loss.backward()
        alone = alone + loss.detach()
    assert torch.allclose(packed, alone, rtol=1e-5)
    for name, gradient in together.items():
        found = model.get_parameter(name).grad
        assert torch.allclose(gradient, found, atol=2e-4, rtol=1e-4), name
    assert ("projector.newline" in together) == (policy == "anyres")


def test_a_row_of_tiles_ends_in_the_newline() -> None:
    model = model_for("anyres")
    rule = rule_of("anyres", model)
    views = views_of(rule, [(128, 64)])
    (order,) = views.orders
    tokens = torch.full((1, len(order)), IMAGE_TOKEN)
    embedded = model.embed(tokens, views)[0]
    each = SIDE * SIDE
    whole, grid = embedded[:each], embedded[each:].view(SIDE, 2 * SIDE + 1, 32)
    plain = model.projector(views.values)
    assert torch.equal(whole, plain[0])
    assert torch.equal(grid[:, -1], model.projector.newline.expand(SIDE, -1))
    assert torch.equal(grid[:, :SIDE], plain[1].view(SIDE, SIDE, 32))
    assert torch.equal(grid[:, SIDE:-1], plain[2].view(SIDE, SIDE, 32))


def test_a_projector_that_joins_neighbours_does_so_within_each_tile() -> None:
    model = model_for("internvl", DownsampleProjector(WIDTH, 32))
    rule = rule_of("internvl", model)
    assert rule.each == model.tokens_per_view == 4
    views = views_of(rule, [(200, 64)])
    assert len(views.values) == 4
    embedded = model.embed(torch.full((1, rule((200, 64))), IMAGE_TOKEN), views)[0]
    each = [model.projector(view[None])[0] for view in views.values]
    assert torch.allclose(embedded, torch.cat(each), atol=1e-6)


@pytest.mark.parametrize("policy", LINED)
def test_pixels_become_the_features_of_their_views(policy: str) -> None:
    model = model_for(policy)
    rule = rule_of(policy, model)
    counts = [rule.tiling.views(size) for size in PICTURES[:2]]
    pixels = as_views(torch.randn(sum(counts), 3, 64, 64), counts, PICTURES[:2], rule)
    batch = pack([document(0, [rule(size) for size in PICTURES[:2]])], 200)
    features = model.features(pixels)
    assert torch.equal(features.values, model.encoder(pixels.values))
    assert torch.equal(model(*batch, pixels=pixels), model(*batch, features=features))


@pytest.mark.parametrize("policy", LINED)
def test_an_unused_picture_touches_every_trained_weight(policy: str) -> None:
    model = model_for(policy)
    batch = pack([document(0, [])], 16)
    dummy = blank_views(torch.zeros(1, SIDE * SIDE, WIDTH), rule_of(policy, model))
    loss = model(*batch, features=dummy)
    assert torch.equal(loss, model(*batch))
    loss.backward()
    for name, parameter in model.projector.named_parameters():
        assert parameter.grad is not None, name
        assert torch.count_nonzero(parameter.grad) == 0


@pytest.mark.parametrize("policy", LINED)
def test_answers_are_the_same_alone_in_a_batch_and_after_shared_shots(policy: str) -> None:
    model = model_for(policy)
    rule = rule_of(policy, model)
    views = views_of(rule, PICTURES)
    shown = [[0, 1, 2], [0, 1, 3], [0, 1]]
    prompts = [document(7, [rule(PICTURES[one]) for one in some])[0].tolist() for some in shown]
    shared = 2 + rule(PICTURES[0]) + 1 + rule(PICTURES[1]) + 1
    given_ = [views[some] for some in shown]
    alone = [
        generate(model, [prompt], [own], 6, [2], 0)[0]
        for prompt, own in zip(prompts, given_, strict=True)
    ]
    assert generate(model, prompts, given_, 6, [2], 0) == alone
    assert generate(model, prompts, given_, 6, [2], 0, shared=shared) == alone
    candidates = [[[5, 6], [7]]] * 3
    plain = torch.tensor(score(model, prompts, candidates, given_, 0))
    again = torch.tensor(score(model, prompts, candidates, given_, 0, shared=shared))
    assert torch.allclose(plain, again, atol=1e-4)
    with pytest.raises(ValueError, match="end within a picture"):
        generate(model, prompts, given_, 6, [2], 0, shared=4)
