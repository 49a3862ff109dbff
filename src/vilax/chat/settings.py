"""What a user sets about answers; its defaults are those of the terminal and of the page."""

import math
from dataclasses import dataclass

from vilax.config.errors import ConfigError

HOTTEST = 2.0
"""Temperature at most; above it answers are noise."""


@dataclass(frozen=True)
class Settings:
    """How an answer is made.

    Attributes:
        max_new_tokens: tokens of an answer, at most.
        temperature: 0 takes the likeliest token each time; above, tokens are drawn.
        seed: of the draws; the same conversation, seed and temperature give the same answer.

    Raises:
        ConfigError: a value is out of range.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ConfigError(f"max new tokens {self.max_new_tokens}: expected at least 1")
        if not 0 <= self.temperature <= HOTTEST or not math.isfinite(self.temperature):
            raise ConfigError(
                f"temperature {self.temperature:g}: expected 0 (greedy) to {HOTTEST:g}"
            )
        if not 0 <= self.seed < 1 << 63:
            raise ConfigError(f"seed {self.seed}: expected a whole number from 0 on")
