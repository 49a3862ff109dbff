"""Freeze policies: what is trained, adapters, and the proof that frozen stays frozen."""

import pytest
import torch

from vilax.models.freeze import (
    Adapter,
    PartPlan,
    apply_freeze,
    fingerprint,
    merge_adapters,
    parts_of,
    select,
)
from vilax.models.vlm import VisionLanguageModel

FROZEN, TRAINED = PartPlan("frozen", 0.1), PartPlan("trained", 0.1)
ADAPTED = PartPlan("adapted", 0.1, Adapter(4, 8.0, 0.0, ("all-linear",)))


def step(model: VisionLanguageModel) -> None:
    tokens = torch.tensor([[3, -200, -200, -200, -200, 5, 6, 7]])
    labels = torch.tensor([[-100, -100, -100, -100, -100, 5, 6, 7]])
    loss = model(tokens, torch.arange(8)[None], labels, pixels=torch.randn(1, 3, 64, 64))
    loss.backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    torch.optim.AdamW(trained, lr=0.1).step()


@pytest.mark.parametrize("part", ["encoder", "projector", "llm"])
def test_only_the_trained_part_changes(tiny_vlm: VisionLanguageModel, part: str) -> None:
    plan = dict.fromkeys(("encoder", "projector", "llm"), FROZEN) | {part: TRAINED}
    apply_freeze(tiny_vlm, plan)
    before = {name: fingerprint(module) for name, module in parts_of(tiny_vlm).items()}
    weights = {n: p.detach().clone() for n, p in tiny_vlm.named_parameters()}
    step(tiny_vlm)
    for name, module in parts_of(tiny_vlm).items():
        assert (fingerprint(module) == before[name]) or name == part
    changed = {n.split(".")[0] for n, p in tiny_vlm.named_parameters() if not p.equal(weights[n])}
    assert changed == {part}
    frozen = [p for n, p in tiny_vlm.named_parameters() if not n.startswith(part)]
    assert all(p.grad is None for p in frozen)


def test_a_single_flipped_bit_is_seen(tiny_vlm: VisionLanguageModel) -> None:
    plan = {"encoder": FROZEN, "projector": TRAINED, "llm": FROZEN}
    apply_freeze(tiny_vlm, plan)
    before = fingerprint(tiny_vlm.llm)
    with torch.no_grad():
        tiny_vlm.llm.embedding.weight.view(torch.int32)[5, 3] ^= 1
    assert fingerprint(tiny_vlm.llm) != before


def test_frozen_batch_norm_statistics_do_not_drift(tiny_vlm: VisionLanguageModel) -> None:
    tiny_vlm.train()
    apply_freeze(tiny_vlm, {"encoder": FROZEN, "projector": TRAINED, "llm": FROZEN})
    before = fingerprint(tiny_vlm.encoder)
    step(tiny_vlm)
    assert fingerprint(tiny_vlm.encoder) == before


@pytest.mark.parametrize("part", ["encoder", "llm"])
def test_an_adapter_trains_alone_and_merges_to_the_same_logits(
    tiny_vlm: VisionLanguageModel, part: str
) -> None:
    if part == "encoder":
        pytest.importorskip("peft")
        plan = {"encoder": FROZEN, "projector": TRAINED, "llm": FROZEN}
        with pytest.raises(ValueError, match="match no linear layer"):
            apply_freeze(tiny_vlm, plan | {"encoder": ADAPTED})
        return
    names = {n for n, _ in tiny_vlm.named_parameters()}
    apply_freeze(tiny_vlm, {"encoder": FROZEN, "projector": FROZEN, "llm": ADAPTED})
    trained = [n for n, p in tiny_vlm.named_parameters() if p.requires_grad]
    assert trained and all(".lora_" in n and n.startswith("llm") for n in trained)
    before = fingerprint(tiny_vlm.llm)
    step(tiny_vlm)
    assert fingerprint(tiny_vlm.llm) == before
    tiny_vlm.eval()
    tokens, positions = torch.tensor([[3, 4, 5, 6]]), torch.arange(4)[None]
    adapted = tiny_vlm.llm(tiny_vlm.embed(tokens, None), positions)
    adapters = merge_adapters(tiny_vlm)
    merged = tiny_vlm.llm(tiny_vlm.embed(tokens, None), positions)
    assert torch.allclose(adapted, merged, atol=1e-5)
    assert {n for n, _ in tiny_vlm.named_parameters()} == names
    assert len(adapters) == len(trained)


def test_training_nothing_is_refused(tiny_vlm: VisionLanguageModel) -> None:
    with pytest.raises(ValueError, match="trains nothing"):
        apply_freeze(tiny_vlm, dict.fromkeys(("encoder", "projector", "llm"), FROZEN))


@pytest.mark.parametrize(
    ("patterns", "count"),
    [
        (("layers[1:]",), 9),
        (("norms",), 5),
        (("embeddings",), 1),
        (("*.q_proj.weight",), 2),
        (("layers[:1]", "layers[-1:]"), 18),
        (("head",), 1),
    ],
)
def test_patterns_train_what_they_mean(
    tiny_vlm: VisionLanguageModel, patterns: tuple[str, ...], count: int
) -> None:
    plan = {"encoder": FROZEN, "projector": FROZEN, "llm": PartPlan("trained", 0.1, None, patterns)}
    apply_freeze(tiny_vlm, plan)
    before = {n: p.detach().clone() for n, p in tiny_vlm.named_parameters()}
    step(tiny_vlm)
    changed = {n for n, p in tiny_vlm.named_parameters() if not p.equal(before[n])}
    assert len(changed) == count
    assert {n.removeprefix("llm.") for n in changed} == select(tiny_vlm.llm, patterns)


def test_a_pattern_that_means_nothing_is_refused(tiny_vlm: VisionLanguageModel) -> None:
    plan = {"encoder": FROZEN, "projector": TRAINED}
    with pytest.raises(ValueError, match=r"freeze.llm.only: 'layers\[24:\]' means no weight"):
        apply_freeze(tiny_vlm, plan | {"llm": PartPlan("trained", 0.1, None, ("layers[24:]",))})


def test_dora_trains_magnitudes_and_merges(tiny_vlm: VisionLanguageModel) -> None:
    dora = PartPlan("adapted", 0.1, Adapter(4, 8.0, 0.0, ("all-linear",), "dora"))
    names = {n for n, _ in tiny_vlm.named_parameters()}
    apply_freeze(tiny_vlm, {"encoder": FROZEN, "projector": dora, "llm": dora})
    assert any("magnitude" in n for n, p in tiny_vlm.named_parameters() if p.requires_grad)
    step(tiny_vlm)
    tiny_vlm.eval()
    tokens, positions = torch.tensor([[3, 4, 5, 6]]), torch.arange(4)[None]
    adapted = tiny_vlm.llm(tiny_vlm.embed(tokens, None), positions)
    adapters = merge_adapters(tiny_vlm)
    merged = tiny_vlm.llm(tiny_vlm.embed(tokens, None), positions)
    assert torch.allclose(adapted, merged, atol=1e-5)
    assert {n for n, _ in tiny_vlm.named_parameters()} == names
    assert any("magnitude" in n for n in adapters)
