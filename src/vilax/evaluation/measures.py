"""Measures of a model on held-out documents: alignment by layer, losses, perplexity.

Alignment (paper Figure 3; the first author's formula): with X the visual and Y the textual hidden
states of a document at a layer, rows of unit norm and S = X Y^T, it is

    0.5 (mean over rows of max over columns of S + mean over columns of max over rows of S).
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vilax.config.schema.data import Template
from vilax.data.document import Document
from vilax.data.formats import BadSample
from vilax.data.prompt import IGNORE, IMAGE_TOKEN, Encoded
from vilax.evaluation.subject import Subject

EDGES = (0, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Where the bins of positions begin, in tokens from the document's start."""

CHUNK = 1024
"""Positions whose logits exist at one time."""


@dataclass(frozen=True)
class Losses:
    """Loss of every supervised token of some documents.

    Attributes:
        nll: negative log-likelihood, in nats.
        position: the token's place in its document.
        pictures: pictures in front of it.
    """

    nll: Float[Tensor, " tokens"]
    position: Int[Tensor, " tokens"]
    pictures: Int[Tensor, " tokens"]

    @property
    def mean(self) -> float:
        """Mean over tokens."""
        return float(self.nll.double().mean())


@torch.no_grad()
def chamfer(visual: Float[Tensor, "m width"], textual: Float[Tensor, "n width"]) -> float:
    """Similarity of two sets of states, -1 to 1; lengths of rows do not count.

    Raises:
        ValueError: a set is empty.
    """
    if not len(visual) or not len(textual):
        raise ValueError("alignment needs visual and textual states")
    one = torch.nn.functional.normalize(visual.double(), dim=-1)
    other = torch.nn.functional.normalize(textual.double(), dim=-1)
    similarity = one @ other.T
    return float(0.5 * (similarity.amax(1).mean() + similarity.amax(0).mean()))


def alignment(
    subject: Subject, documents: Sequence[Document], template: Template
) -> dict[str, Any]:
    """Mean over documents of the similarity at each layer; layer 0 is what the LLM is given.

    Documents without a picture or without text are left out.
    """
    totals: list[float] = []
    count = 0
    for encoded in _encoded(subject, documents, template):
        tokens = torch.tensor(encoded.tokens, device=subject.model.device)
        is_visual = tokens == IMAGE_TOKEN
        if not bool(is_visual.any()) or bool(is_visual.all()):
            continue
        values = [
            chamfer(states[is_visual], states[~is_visual]) for states in _layers(subject, encoded)
        ]
        totals = [a + b for a, b in zip(totals or [0.0] * len(values), values, strict=True)]
        count += 1
    if not count:
        raise ValueError("no held-out document has both a picture and text")
    return {
        "layers": list(range(len(totals))),
        "values": [total / count for total in totals],
        "documents": count,
    }


def losses(subject: Subject, documents: Sequence[Document], template: Template) -> Losses:
    """Loss of every supervised token, each document read alone.

    Raises:
        ValueError: no document has a supervised token.
    """
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for encoded in _encoded(subject, documents, template):
        labels = torch.tensor(encoded.labels, device=subject.model.device)
        places = torch.nonzero(labels[1:] != IGNORE)[:, 0]
        if not len(places):
            continue
        states = _last(subject, encoded)[places]
        wanted = labels[places + 1]
        nll = torch.cat(
            [
                torch.nn.functional.cross_entropy(
                    subject.model.llm.logits(some), target, reduction="none"
                )
                for some, target in zip(states.split(CHUNK), wanted.split(CHUNK), strict=True)
            ]
        )
        found.append((nll.cpu(), (places + 1).cpu(), _pictures_before(encoded)[places + 1]))
    if not found:
        raise ValueError("no held-out document has a supervised token")
    nll, position, pictures = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Losses(nll, position, pictures)


def by_position(found: Losses) -> dict[str, Any]:
    """Mean loss in bins of positions; empty bins at the end are left out."""
    bins = torch.tensor([bisect_right(EDGES, int(p)) - 1 for p in found.position])
    used = int(bins.max()) + 1
    loss, tokens = _means(found.nll, bins, used)
    return {"edges": list(EDGES[:used]), "loss": loss, "tokens": tokens}


def by_pictures(found: Losses) -> dict[str, Any]:
    """Mean loss by the number of pictures in front of the token: the in-context curve."""
    used = int(found.pictures.max()) + 1
    loss, tokens = _means(found.nll, found.pictures, used)
    return {"images": list(range(used)), "loss": loss, "tokens": tokens}


def drift(subject: Subject, base: Subject, documents: Sequence[Document]) -> dict[str, Any]:
    """Perplexity on plain text of a model and of the LLM that it was made from."""
    found, own = losses(subject, documents, "raw"), losses(base, documents, "raw")
    return {
        "perplexity": math.exp(found.mean),
        "base_perplexity": math.exp(own.mean),
        "tokens": len(found.nll),
    }


def _means(
    nll: Float[Tensor, " tokens"], bins: Int[Tensor, " tokens"], count: int
) -> tuple[list[float | None], list[int]]:
    tokens = torch.bincount(bins, minlength=count)
    sums = torch.zeros(count, dtype=torch.float64).index_add(0, bins, nll.double())
    loss = [float(s / n) if n else None for s, n in zip(sums, tokens, strict=True)]
    return loss, tokens.tolist()


def _encoded(
    subject: Subject, documents: Sequence[Document], template: Template
) -> Iterator[Encoded]:
    for document in documents:
        try:
            encoded = subject.prompts.document(document, template)
        except BadSample:
            continue
        if subject.context is None or len(encoded.tokens) <= subject.context:
            yield encoded


def _given(subject: Subject, encoded: Encoded) -> dict[str, Any]:
    model = subject.model
    tokens = torch.tensor(encoded.tokens, device=model.device)[None]
    features = None
    if encoded.images:
        if subject.features is None:
            raise ValueError("a text-only model was given pictures")
        features = subject.features(encoded.images).to(model.device)
    return {
        "embeddings": model.embed(tokens, features),
        "positions": torch.arange(tokens.shape[1], device=model.device)[None],
        "visual": model.seen(tokens),
    }


@torch.no_grad()
def _last(subject: Subject, encoded: Encoded) -> Float[Tensor, "length width"]:
    states: Tensor = subject.model.llm(**_given(subject, encoded))[0]
    return states


@torch.no_grad()
def _layers(subject: Subject, encoded: Encoded) -> list[Float[Tensor, "length width"]]:
    return [states[0] for states in subject.model.llm.layers(**_given(subject, encoded))]


def _pictures_before(encoded: Encoded) -> Int[Tensor, " length"]:
    """Whole pictures in front of each position."""
    is_visual = torch.tensor(encoded.tokens == IMAGE_TOKEN)
    ends = torch.tensor(encoded.spans, dtype=torch.long).cumsum(0)
    return torch.bucketize(torch.cumsum(is_visual, 0), ends, right=True)
