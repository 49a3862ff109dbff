"""FLOPs of a stage by formula: matrix products of every part, and attention."""

from dataclasses import dataclass
from typing import Any

from vilax.models.freeze import PartPlan
from vilax.models.visual_expert import twins
from vilax.models.vlm import VisionLanguageModel
from vilax.planning.counting import Counts


@dataclass(frozen=True)
class Mix:
    """What an average row holds.

    Attributes:
        images: pictures per token of a row.
        supervised: share of tokens with loss.
        document: mean length of a document, in tokens: attention reaches no further.
        source: where these come from.
        views: views per picture; more than 1 of pictures in tiles.
    """

    images: float
    supervised: float
    document: float
    source: str
    views: float = 1.0


def flops_per_token(
    model: VisionLanguageModel,
    config: Any,
    plan: dict[str, PartPlan],
    counts: Counts,
    mix: Mix,
    checkpointing: bool,
) -> float:
    """FLOPs of training on one token, its share of pictures included.

    A matrix product of P weights takes 2 P FLOPs per token forwards, as many for its inputs'
    gradients, and as many for its own; each is counted only where it is needed. Attention takes
    4 x context x width per block and token forwards, the mean context being half a document.
    """
    head = config.hidden_size * config.vocab_size
    every, trained = counts.parts["llm"]
    # A token goes through its layer or through the layer's expert, never through both.
    every -= sum(twin.numel() for twin in twins(model.llm))
    tables = 1 if config.tie_word_embeddings else 2
    blocks = every - tables * head
    share = min(1.0, trained / max(1, every))
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attention = 2 * config.num_attention_heads * width * mix.document * config.num_hidden_layers
    forward = 2 * blocks + attention
    total = forward * (2 if checkpointing else 1)
    # Gradients of inputs flow through the whole LLM unless nothing before or in it is trained.
    total += forward + 2 * blocks * share + attention
    is_adapted = plan["llm"].mode != "frozen"
    total += 2 * head * mix.supervised * (3 if is_adapted else 2)
    if model.encoder is None or not mix.images:
        return float(total)
    pictures = 0.0
    for name in ("encoder", "projector"):
        weights, own = counts.parts[name]
        tokens = model.encoder.tokens if name == "encoder" else model.tokens_per_view
        passes = 1.0
        if plan[name].mode != "frozen":
            passes += own / max(1, weights)
        # Gradients of inputs are asked for only where something before them is trained.
        if name == "projector" and plan["encoder"].mode != "frozen":
            passes += 1
        if name == "encoder" and plan[name].mode != "frozen":
            passes += 1
        pictures += 2 * weights * tokens * passes
    return float(total + mix.images * mix.views * pictures)
