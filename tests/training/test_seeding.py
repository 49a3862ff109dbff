"""Seeds: stable, and independent between purposes."""

import torch

from vilax.training.seeding import derive, seeded


def test_a_seed_is_stable_and_differs_by_purpose() -> None:
    assert derive(0, "align", "data") == derive(0, "align", "data")
    assert len({derive(s, p) for s in range(10) for p in ("llm", "projector", "data")}) == 30
    assert derive(3, "x") < 2**31


def test_a_seeded_block_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    with seeded(1, "projector"):
        inside = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    with seeded(1, "projector"):
        assert torch.equal(torch.rand(2), inside)
