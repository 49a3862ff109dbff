"""What judging may cost, before anything is asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vilax.evaluation.judge.cache import Message

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
COUNTED_AS = "1 token for 4 bytes of UTF-8, 4 more for each message; replies at full length"


@dataclass(frozen=True)
class Prices:
    """What tokens cost, as the user says.

    Attributes:
        a_million_in: of what is sent.
        a_million_out: of what comes back.
    """

    a_million_in: float
    a_million_out: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """The price of so many tokens."""
        return (tokens_in * self.a_million_in + tokens_out * self.a_million_out) / 1e6


@dataclass(frozen=True)
class Estimate:
    """What is left to ask.

    Attributes:
        calls: requests, if every reply can be read.
        stored: judgements that the cache holds.
        tokens_in: tokens of these requests.
        tokens_out: tokens of their replies at most.
    """

    calls: int = 0
    stored: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.calls + other.calls,
            self.stored + other.stored,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
        )

    def sentence(self, prices: Prices | None) -> str:
        """The estimate in words; a price only where prices are given."""
        if not self.calls:
            return f"nothing to ask: all {self.stored:,} judgements are stored"
        cost = (
            "no price without --price-in and --price-out"
            if prices is None
            else f"price about {prices.of(self.tokens_in, self.tokens_out):,.2f}"
        )
        return (
            f"{self.calls:,} requests ({self.stored:,} judgements are stored), about"
            f" {self.tokens_in:,} tokens in and {self.tokens_out:,} out: {cost}. Counted as"
            f" {COUNTED_AS}; replies that cannot be read are asked for again on top."
        )


def tokens(messages: Sequence[Message]) -> int:
    """Estimated tokens of a chat."""
    return sum(
        TOKENS_PER_MESSAGE + math.ceil(len(message["content"].encode()) / BYTES_PER_TOKEN)
        for message in messages
    )
