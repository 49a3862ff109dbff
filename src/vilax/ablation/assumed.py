"""Seconds that work took at micro scale on another machine, where nothing like it has run here."""

from vilax.ablation.graph import PREPARATION, Node
from vilax.config.schema.model import ScratchLlm

ASSUMED = {
    "micro world": 26.0 / 2e5,
    "picture features": 17.0 / 5e5,
    "text": 109.0 / 2e6,
    "align": 29.0 / 6e6,
    "pretrain": 79.0 / 9.6e6,
    "sft": 21.0 / 1e6,
    "chat": 21.0 / 1e6,
    "evaluation of text": 2.1 / 2.75e5,
    "evaluation of chat": 2.1 / 2.75e5,
    "evaluation of sft": 9.6 / 7.5e5,
    "measures of sft": 2.0 / 6.4e4,
    "measures of align": 2.0 / 6.4e4,
    "measures of text": 2.0 / 6.4e4,
    "measures of chat": 2.0 / 6.4e4,
}
"""Seconds per unit of cost with the micro scale's LLM, by what a node is; rounded.

align, pretrain, sft, its evaluation and its measures: medians of CPU seconds over sweeps of
freezing, corpus and joint_sft, one thread each. Not timed apart: chat as sft, its evaluation as
that of text, measures of other stages as those of sft, of the same documents. Evaluation of text:
median of stored wall times. Micro world, text and the first picture features of a sweep: wall time
on two idle cores, one run.
Two threads that others disturb take many times as long."""


def assumed_seconds(node: Node) -> float | None:
    """What a node took on that machine; None where the table does not speak of it.

    It tells preparation, and what is done with the micro scale's LLM.
    """
    is_like = node.kind in PREPARATION or isinstance(node.run.llm, ScratchLlm)
    return ASSUMED[node.title] * node.cost if is_like and node.title in ASSUMED else None
