"""One number per arm and seed out of what was measured on it, for claims on measures."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from vilax.config.errors import ConfigError, nearest, unknown

MEASURES = {
    "alignment": "similarity of visual and textual embeddings, mean over the deeper half of layers",
    "text_drift": "log of the perplexity on text over the base LLM's, nats per token",
    "held_out": "held-out loss of the arm's own corpora, mean over tokens, nats per token",
    "held_out.CORPUS": "held-out loss of one corpus, nats per token",
    "training_loss.STAGE": "training loss of a stage, mean over the supervised tokens of the last"
    " half of its budget, nats per token",
}
"""What an endpoint may name as its measure."""


def trained_stage(name: str) -> str:
    """The stage of a measure that is read from its training; empty for a measure of results."""
    kind, _, stage = name.partition(".")
    return stage if kind == "training_loss" else ""


def check_measure(
    what: str, name: str, corpora: Mapping[str, Any], stages: Iterable[str] = ()
) -> None:
    """Refuse a measure that does not exist.

    Args:
        what: the key that names it.
        name: the measure.
        corpora: those that runs have.
        stages: those that runs train.

    Raises:
        ConfigError: unknown measure, unknown corpus of ``held_out.CORPUS``, or unknown stage of
            ``training_loss.STAGE``.
    """
    kind, dot, part = name.partition(".")
    if part and kind == "held_out":
        if part not in corpora:
            raise unknown(f"corpus in {what}", part, corpora)
    elif kind == "training_loss":
        if part not in (known := list(stages)):
            if dot:
                raise unknown(f"stage in {what}", part, known)
            every = ", ".join(f"{kind}.{stage}" for stage in known)
            raise ConfigError(f"{what}={name!r}: expected the stage too, one of {every}")
    elif name not in MEASURES or name == "held_out.CORPUS":
        guess = nearest(name, MEASURES)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise ConfigError(f"{what}={name!r}: expected one of {', '.join(MEASURES)}{hint}")


def scalar(measures: Mapping[str, Any], name: str) -> float | None:
    """The number of a measure; None where it was not measured, or is not finite.

    Args:
        measures: what ``measures.json`` of one arm and seed holds, and ``training_loss`` by stage.
        name: a measure, see ``MEASURES``.
    """
    kind, _, part = name.partition(".")
    found = measures.get(kind)
    if not found:
        return None
    if kind == "alignment":
        value = _deeper_half(found)
    elif kind == "text_drift":
        value = math.log(found["perplexity"] / found["base_perplexity"])
    elif kind == "training_loss":
        value = float(found.get(part, math.nan))
    elif part:
        value = float(found[part]["loss"]) if part in found else math.nan
    else:
        tokens = sum(one["tokens"] for one in found.values())
        value = sum(one["loss"] * one["tokens"] for one in found.values()) / max(1, tokens)
    return value if math.isfinite(value) else None


def _deeper_half(alignment: Mapping[str, Any]) -> float:
    """Figure 3 compares deeper blocks: the last half of the layers, the middle one included."""
    order = np.argsort(alignment["layers"])
    values = np.asarray(alignment["values"], dtype=np.float64)[order]
    return float(values[len(values) // 2 :].mean()) if len(values) else math.nan
