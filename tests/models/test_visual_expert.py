"""Visual experts: other weights for visual tokens, the same LLM for text."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.models.test_families import OTHERS, PACKAGED, build
from vilax.models.architecture import config_of
from vilax.models.decoding import generate, score
from vilax.models.freeze import Adapter, PartPlan, apply_freeze, fingerprint, trained_parameters
from vilax.models.llm import LanguageModel
from vilax.models.visual_expert import TWIN, twins
from vilax.models.vlm import IGNORE, IMAGE_TOKEN, VisionLanguageModel
from vilax.planning.blank import blank_llm
from vilax.training.weights import load_parts, part_tensors, save_parts

EXPERT = {
    "encoder": PartPlan("frozen", 0.0),
    "projector": PartPlan("trained", 1e-2),
    "llm": PartPlan("expert", 1e-2),
}
TEXT = [5, 9, 11, 6]
PICTURE = [3, *[IMAGE_TOKEN] * 4, 7, 8, 12]


@pytest.fixture
def model(tmp_path: Path) -> VisionLanguageModel:
    return build("llama 2", tmp_path).eval()


def rows(*documents: list[int]) -> tuple[Tensor, Tensor]:
    tokens = torch.tensor([[t for one in documents for t in one]])
    positions = torch.tensor([[i for one in documents for i in range(len(one))]])
    return tokens, positions


def hidden(model: VisionLanguageModel, *documents: list[int]) -> Tensor:
    tokens, positions = rows(*documents)
    pictures = sum(document.count(IMAGE_TOKEN) for document in documents) // 4
    torch.manual_seed(3)
    assert model.encoder is not None
    features = torch.randn(pictures, 4, model.encoder.width) if pictures else None
    embedded = model.embed(tokens, features)
    out: Tensor = model.llm(embedded, positions, model.seen(tokens))
    return out


def step(model: VisionLanguageModel, *documents: list[int]) -> None:
    """One optimizer step on the documents."""
    tokens, positions = rows(*documents)
    labels = tokens.masked_fill(tokens == IMAGE_TOKEN, IGNORE)
    assert model.encoder is not None
    pictures = int((tokens == IMAGE_TOKEN).sum()) // 4
    features = torch.randn(max(1, pictures), 4, model.encoder.width)
    optimizer = torch.optim.AdamW([p for _, p in trained_parameters(model)], lr=1e-2)
    model(tokens, positions, labels, features).backward()
    optimizer.step()


@pytest.mark.parametrize("family", [*PACKAGED, *OTHERS])
def test_every_family_takes_experts(family: str, tmp_path: Path) -> None:
    """A fresh expert changes nothing; a trained one changes what pictures do and no text."""
    model = build(family, tmp_path).eval()
    with torch.no_grad():
        text, picture = hidden(model, TEXT), hidden(model, PICTURE)
    apply_freeze(model, EXPERT)
    model.eval()
    with torch.no_grad():
        assert torch.equal(hidden(model, TEXT), text)
        torch.testing.assert_close(hidden(model, PICTURE), picture, rtol=1e-4, atol=1e-5)
    before = fingerprint(model.llm)
    step(model, PICTURE)
    assert fingerprint(model.llm) == before
    with torch.no_grad():
        assert torch.equal(hidden(model, TEXT), text)
        assert not torch.allclose(hidden(model, PICTURE), picture, atol=1e-4)


def test_only_experts_and_projector_are_trained(model: VisionLanguageModel) -> None:
    apply_freeze(model, EXPERT)
    names = {name for name, _ in trained_parameters(model)}
    assert any(name.startswith("projector.") for name in names)
    assert all(f".{TWIN}." in name for name in names if name.startswith("llm."))
    linear = [
        name
        for name, layer in model.llm.decoder.named_modules()
        if isinstance(layer, torch.nn.Linear) and TWIN not in name
    ]
    assert len(twins(model.llm)) == len(linear) > 0


def test_packed_equals_unpacked(model: VisionLanguageModel) -> None:
    apply_freeze(model, EXPERT)
    step(model, PICTURE)
    model.eval()
    with torch.no_grad():
        packed = hidden(model, PICTURE, TEXT)
        first, second = hidden(model, PICTURE), hidden(model, TEXT)
    torch.testing.assert_close(packed[:, : len(PICTURE)], first, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(packed[:, len(PICTURE) :], second, rtol=1e-4, atol=1e-5)


def test_decoding_with_a_cache_equals_reading_again(model: VisionLanguageModel) -> None:
    apply_freeze(model, EXPERT)
    step(model, PICTURE)
    model.eval()
    assert model.encoder is not None
    torch.manual_seed(3)
    features = [torch.randn(1, 4, model.encoder.width), None]
    prompts = [PICTURE, TEXT]
    answers = generate(model, prompts, features, 5, [], 0)
    for prompt, some, answer in zip(prompts, features, answers, strict=True):
        tokens = list(prompt)
        for token in answer:
            with torch.no_grad():
                row, positions = rows(tokens)
                states = model.llm(model.embed(row, some), positions, model.seen(row))
                assert int(model.llm.logits(states[:, -1]).argmax()) == token
            tokens.append(token)
    shared = generate(model, [PICTURE, [*PICTURE[:6], 9]], features[:1] * 2, 3, [], 0, shared=5)
    assert shared[0] == answers[0][:3]
    assert len(score(model, [PICTURE], [[[4, 5], [6]]], features[:1], 0)[0]) == 2


def test_checkpointed_blocks_give_the_same_gradients(model: VisionLanguageModel) -> None:
    apply_freeze(model, EXPERT)
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.llm.net.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        model.train()
        model.zero_grad()
        hidden(model, PICTURE).square().sum().backward()
        gradients.append([p.grad.clone() for p in twins(model.llm) if p.grad is not None])
    assert len(gradients[0]) == len(twins(model.llm))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_compiled_blocks_give_the_same_gradients(model: VisionLanguageModel) -> None:
    """Each block is one graph, with pictures and without, whatever the number of tokens."""
    apply_freeze(model, EXPERT)
    rows_of = (PICTURE, [*PICTURE, 9, *PICTURE], [7, 4, *PICTURE], TEXT, [*PICTURE, *PICTURE])

    def gradients() -> list[list[Tensor | None]]:
        found = []
        for row in rows_of:
            model.zero_grad()
            hidden(model, row).square().sum().backward()
            found.append([None if p.grad is None else p.grad.clone() for p in twins(model.llm)])
        return found

    names = [name for name, _ in model.named_parameters()]
    eager = gradients()
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    for block in model.llm.blocks():
        block.compile(backend="aot_eager", fullgraph=True)
    compiled = gradients()
    assert [name for name, _ in model.named_parameters()] == names
    for one, other in zip(eager, compiled, strict=True):
        for before, after in zip(one, other, strict=True):
            assert before is not None and after is not None
            torch.testing.assert_close(after, before)
    # Not one for every number of tokens, nor for every block.
    assert 0 < torch._dynamo.utils.counters["stats"]["unique_graphs"] < len(rows_of)


def test_rows_without_pictures_still_run_the_experts(model: VisionLanguageModel) -> None:
    apply_freeze(model, EXPERT)
    hidden(model, TEXT).sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in twins(model.llm))


def test_a_result_says_that_it_has_experts(model: VisionLanguageModel, tmp_path: Path) -> None:
    apply_freeze(model, EXPERT)
    step(model, PICTURE)
    model.eval()
    (tmp_path / "result").mkdir()
    save_parts({"llm": part_tensors(model.llm)}, None, tmp_path / "result")
    again = build("llama 2", tmp_path).eval()
    again.projector = model.projector
    load_parts(again, tmp_path / "result")
    assert again.llm.has_experts
    with torch.no_grad():
        assert torch.equal(hidden(again, PICTURE), hidden(model, PICTURE))


def test_all_weights_may_be_trained_afterwards(model: VisionLanguageModel) -> None:
    apply_freeze(model, EXPERT)
    apply_freeze(model, EXPERT | {"llm": PartPlan("trained", 1e-3)})
    assert len(twins(model.llm)) == sum(TWIN in name for name, _ in trained_parameters(model))
    assert all(p.requires_grad for p in model.llm.parameters())


def test_an_adapter_beside_experts_is_refused(model: VisionLanguageModel) -> None:
    apply_freeze(model, EXPERT)
    lora = PartPlan("adapted", 1e-3, Adapter(4, 4.0, 0.0, ("all-linear",)))
    with pytest.raises(ValueError, match="which take no adapter"):
        apply_freeze(model, EXPERT | {"llm": lora})


def test_an_expert_of_the_encoder_is_refused(model: VisionLanguageModel) -> None:
    with pytest.raises(ValueError, match=r"freeze\.encoder\.mode=expert"):
        apply_freeze(model, EXPERT | {"encoder": PartPlan("expert", 1e-3)})


def test_parameters_of_llama_2_7b_grow_as_the_paper_says() -> None:
    """Table 8: 1.9 times the parameters."""
    with torch.device("meta"):
        llm: LanguageModel = blank_llm(config_of("meta-llama/Llama-2-7b-hf"))
    before = sum(p.numel() for p in llm.parameters())
    llm.add_experts()
    after = sum(p.numel() for p in llm.parameters())
    assert after / before == pytest.approx(1.96, abs=0.01)
