"""CIDEr-D, as pycocoevalcap computes it (protocols.md 10; Vedantam et al. 2015)."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vilax.config.errors import ConfigError

ORDERS = 4
SIGMA = 6.0

Ngram = tuple[str, ...]


@dataclass(frozen=True)
class Cider:
    """CIDEr-D times 10, the scale of pycocoevalcap (papers print 100 times that).

    Attributes:
        corpus: mean over images.
        per_image: score of each image.
    """

    corpus: float
    per_image: Mapping[str, float]


def cider(hypotheses: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> Cider:
    """CIDEr-D of tokenised captions.

    Document frequencies come from the references of the images with a hypothesis alone, so a subset
    has other scores than the whole set. Quirks of the reference that are kept: lengths are counted
    in bigrams, one image by itself scores 0, n-grams that no reference has weigh as much as those
    of one image. It refuses references of other images, an image without any and references that
    are all empty; here the first are left out and the others give 0.

    Args:
        hypotheses: image id to caption, already tokenised.
        references: image id to its reference captions, already tokenised.

    Raises:
        ConfigError: a hypothesis without references.
    """
    ids = list(hypotheses)
    if missing := next((image for image in ids if image not in references), None):
        raise ConfigError(f"image {missing!r} has a caption to score but no references")
    grams = {i: [_ngrams(text) for text in references[i]] for i in ids}
    frequency: Counter[Ngram] = Counter()
    for image in ids:
        frequency.update({gram for counts in grams[image] for gram in counts})
    log_images = math.log(len(ids)) if ids else 0.0
    scores = {}
    for image in ids:
        vector = _vector(_ngrams(hypotheses[image]), frequency, log_images)
        each = [
            _similarity(vector, _vector(counts, frequency, log_images)) for counts in grams[image]
        ]
        scores[image] = 10.0 * sum(each) / len(each) if each else 0.0
    return Cider(sum(scores.values()) / len(scores) if scores else 0.0, scores)


@dataclass(frozen=True)
class _Vector:
    weights: list[dict[Ngram, float]]
    norms: list[float]
    bigrams: int


def _ngrams(text: str) -> Counter[Ngram]:
    words = text.split()
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, ORDERS + 1)
        for start in range(len(words) - order + 1)
    )


def _vector(counts: Counter[Ngram], frequency: Counter[Ngram], log_images: float) -> _Vector:
    weights: list[dict[Ngram, float]] = [{} for _ in range(ORDERS)]
    bigrams = 0
    for gram, count in counts.items():
        rarity = log_images - math.log(max(1.0, frequency[gram]))
        weights[len(gram) - 1][gram] = count * rarity
        if len(gram) == 2:
            bigrams += count
    norms = [math.sqrt(sum(w * w for w in some.values())) for some in weights]
    return _Vector(weights, norms, bigrams)


def _similarity(one: _Vector, other: _Vector) -> float:
    length = float(one.bigrams - other.bigrams)
    total = 0.0
    for order in range(ORDERS):
        shared = sum(
            min(weight, other.weights[order].get(gram, 0.0)) * other.weights[order].get(gram, 0.0)
            for gram, weight in one.weights[order].items()
        )
        if one.norms[order] and other.norms[order]:
            shared /= one.norms[order] * other.norms[order]
        total += shared * math.exp(-(length**2) / (2 * SIGMA**2))
    return total / ORDERS
