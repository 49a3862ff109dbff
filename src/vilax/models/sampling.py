"""Which token follows."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Pick = Callable[[Float[Tensor, "rows vocab"]], Int[Tensor, " rows"]]
"""Next token of each row, from its logits."""


def greedy(logits: Float[Tensor, "rows vocab"]) -> Int[Tensor, " rows"]:
    """The likeliest token of each row."""
    return logits.argmax(-1)


class Sampler:
    """Draws from the distribution of the logits, divided by a temperature.

    Draws are made on the CPU in fp32, so that one seed gives one answer on every device that
    computes the same logits. Rows draw in turn from one stream: what a row gets depends on the
    rows beside it.

    Args:
        temperature: above 0; 1 is the model's own distribution, less is closer to ``greedy``.
        seed: of the draws.

    Raises:
        ValueError: the temperature is not above 0.
    """

    def __init__(self, temperature: float, seed: int) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature {temperature}: expected above 0")
        self.temperature = temperature
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, logits: Float[Tensor, "rows vocab"]) -> Int[Tensor, " rows"]:
        """Next token of each row."""
        chances = (logits.float().cpu() / self.temperature).softmax(-1)
        return torch.multinomial(chances, 1, generator=self._generator)[:, 0].to(logits.device)
