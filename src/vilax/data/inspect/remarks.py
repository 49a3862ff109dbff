"""What is worth a look before money is spent on training."""

from vilax.data.inspect.content import Facts
from vilax.data.inspect.tally import Tally

LITTLE_LOSS = 0.02
"""Share of supervised tokens below which a corpus is named."""

LOOSE = 0.9
"""Share of positions that hold tokens, below which packing is named."""

MUCH_LEFT_OUT = 0.05
"""Share of documents left out above which a corpus is named."""

MUCH_UNKNOWN = 0.01
"""Share of unknown tokens above which a corpus is named."""

FAR = 0.5
"""A corpus is named whose share is more than this part away from what was asked ..."""

ENOUGH = 200
"""... where at least so many documents were drawn in all."""

OFTEN = 4
"""Passes over a corpus above which it is named."""


def remarks(facts: Facts, tally: Tally) -> list[str]:
    """Sentences, each naming a corpus or setting and a number; empty where all looks well."""
    said = []
    if tally.unseen:
        said.append(
            f"{tally.unseen:,} pictures are in these rows, and stage {facts.stage} has no encoder"
            " that could see them."
        )
    for name, corpus in tally.corpora.items():
        intake = tally.intake[name]
        if not corpus.documents:
            said.append(f"{name}: no document of it is in these rows.")
            continue
        share = corpus.supervised / corpus.tokens
        if share < LITTLE_LOSS:
            said.append(
                f"{name}: {share:.2%} of its tokens carry loss; see its template"
                f" ({facts.templates[name]}) and which of its texts are supervised."
            )
        left = sum(intake.dropped.values()) + intake.bad
        if intake.read and left > MUCH_LEFT_OUT * intake.read:
            said.append(f"{name}: {left:,} left out of {intake.read:,} documents read.")
        if corpus.unknown > MUCH_UNKNOWN * corpus.tokens:
            said.append(
                f"{name}: {corpus.unknown / corpus.tokens:.1%} of its tokens are unknown to the"
                " tokenizer."
            )
        passes = intake.read / facts.sizes[name] if facts.sizes[name] else 0
        if passes > OFTEN:
            said.append(
                f"{name}: each of its {facts.sizes[name]:,} documents was read {passes:.1f} times."
            )
    said += _blend(facts, tally)
    packing = tally.total.tokens / tally.positions if tally.positions else 1.0
    if packing < LOOSE:
        said.append(
            f"{1 - packing:.0%} of all positions are padding; a longer row, or a larger"
            " blend.packing_buffer, wastes less."
        )
    return said


def _blend(facts: Facts, tally: Tally) -> list[str]:
    drawn = drawn_shares(tally, facts.per)
    if len(drawn) < 2 or tally.total.documents < ENOUGH:
        return []
    return [
        f"{name}: {drawn[name]:.1%} of the {facts.per} drawn, asked were {asked:.1%}."
        for name, asked in facts.asked.items()
        if abs(drawn[name] - asked) > FAR * asked
    ]


def drawn_shares(tally: Tally, per: str) -> dict[str, float]:
    """By corpus, its share of what the blend counts: documents read, or what is in the rows.

    Args:
        tally: totals.
        per: documents, images, tokens or supervised.
    """
    if per == "documents":
        amounts = {name: counts.read for name, counts in tally.intake.items()}
    else:
        amounts = {name: getattr(corpus, per) for name, corpus in tally.corpora.items()}
    whole = sum(amounts.values())
    return {name: amount / whole if whole else 0.0 for name, amount in amounts.items()}
