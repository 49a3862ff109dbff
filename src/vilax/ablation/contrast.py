"""What a claim compares: a weighted sum of arms at numbers of shots, held against a margin."""

from dataclasses import dataclass

from vilax.config.schema.comparison import (
    Claim,
    EqualClaim,
    GainClaim,
    InteractionClaim,
)


@dataclass(frozen=True)
class Term:
    """One arm at one number of shots.

    Attributes:
        weight: factor of its score.
        arm: name of the arm.
        k: number of shots; of no meaning for a measure.
    """

    weight: float
    arm: str
    k: int


@dataclass(frozen=True)
class Contrast:
    """A claim as a sum of terms that is said to exceed a margin, or to lie within it.

    Attributes:
        terms: the sum.
        margin: on the endpoint's scale.
        is_equality: whether the claim is that the sum lies between minus and plus the margin.
    """

    terms: tuple[Term, ...]
    margin: float
    is_equality: bool = False

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in the order of the claim, each once."""
        return tuple(dict.fromkeys(term.arm for term in self.terms))

    @property
    def shots(self) -> tuple[int, ...]:
        """Numbers of shots, in order, each once."""
        return tuple(sorted({term.k for term in self.terms}))


def contrast(claim: Claim) -> Contrast:
    """The sum that a claim is about; what is claimed makes it large, also where a score falls."""
    if isinstance(claim, EqualClaim):
        return Contrast(_difference(claim.first, claim.second, claim.k), claim.margin, True)
    if isinstance(claim, GainClaim):
        sign = 1.0 if claim.direction == "up" else -1.0
        return Contrast(_gain(claim.arm, claim.k_low, claim.k_high, sign), claim.margin)
    if not isinstance(claim, InteractionClaim):
        return Contrast(_difference(claim.higher, claim.lower, claim.k), claim.margin)
    if isinstance(claim.higher, str) or isinstance(claim.lower, str):
        shots = claim.k_low, claim.k_high
        more, less = str(claim.higher), str(claim.lower)
        return Contrast((*_gain(more, *shots), *_gain(less, *shots, -1.0)), claim.margin)
    wide = _difference(claim.higher[0], claim.higher[1], claim.k)
    narrow = _difference(claim.lower[0], claim.lower[1], claim.k, -1.0)
    return Contrast((*wide, *narrow), claim.margin)


def _difference(one: str, other: str, k: int, sign: float = 1.0) -> tuple[Term, ...]:
    return Term(sign, one, k), Term(-sign, other, k)


def _gain(arm: str, k_low: int, k_high: int, sign: float = 1.0) -> tuple[Term, ...]:
    return Term(sign, arm, k_high), Term(-sign, arm, k_low)


def compares_shots(claim: Claim) -> bool:
    """Whether a claim is about what shots change, which a measure does not know."""
    return len(contrast(claim).shots) > 1


def named_arms(claim: Claim) -> dict[str, tuple[str, ...]]:
    """The arms that a claim names, by the key that names them."""
    keys = [key for key in ("first", "second", "arm", "higher", "lower") if hasattr(claim, key)]
    values = {key: getattr(claim, key) for key in keys}
    return {key: (arm,) if isinstance(arm, str) else tuple(arm) for key, arm in values.items()}
