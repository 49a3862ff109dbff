"""Drawing tokens: the distribution, its ends, and its repeatability."""

import pytest
import torch

from vilax.models.sampling import Sampler, greedy

LOGITS = torch.tensor([[0.0, 1.0, 3.0, 2.0]])


def test_draws_follow_the_softmax_of_the_divided_logits() -> None:
    count = 20_000
    for temperature in (0.5, 1.0, 2.0):
        drawn = Sampler(temperature, seed=0)(LOGITS.expand(count, -1))
        shares = torch.bincount(drawn, minlength=4) / count
        wanted = (LOGITS[0] / temperature).softmax(-1)
        # Four standard errors of a share.
        assert torch.all((shares - wanted).abs() < 4 * (wanted * (1 - wanted) / count).sqrt())


def test_a_temperature_near_zero_is_greedy() -> None:
    logits = torch.randn(50, 30, generator=torch.Generator().manual_seed(1))
    assert torch.equal(Sampler(1e-4, seed=0)(logits), greedy(logits))


def test_one_seed_one_sequence() -> None:
    def draws(seed: int) -> list[int]:
        sampler = Sampler(1.0, seed)
        return [int(sampler(LOGITS)) for _ in range(30)]

    assert draws(3) == draws(3)
    assert draws(3) != draws(4)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="expected above 0"):
        Sampler(temperature, 0)
