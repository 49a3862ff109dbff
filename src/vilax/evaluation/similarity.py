"""How alike pictures are to a model's own encoder, for shots chosen by similarity (RICES)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from vilax.evaluation.asking import Readable
from vilax.evaluation.shots import Similarity
from vilax.evaluation.subject import Subject
from vilax.models.views import Views

BATCH = 64


def picture_similarity(subject: Subject) -> Similarity | None:
    """Mean encoder features of length 1; None for a model without pictures.

    OpenFlamingo's RICES takes CLIP's embedding; this takes whatever encoder the model has, so that
    nothing else is loaded (protocols.md 13.1).
    """
    features = subject.features
    if features is None:
        return None

    def similar(pictures: Sequence[Readable]) -> Float[Tensor, "pictures width"]:
        found = []
        for start in range(0, len(pictures), BATCH):
            data = [picture.read() for picture in pictures[start : start + BATCH]]
            shown = features(data)
            if isinstance(shown, Views):
                each = shown.values.float().split(shown.counts)
                found.append(torch.stack([views.flatten(0, 1).mean(0) for views in each]))
            else:
                found.append(shown.float().mean(1))
        return torch.nn.functional.normalize(torch.cat(found), dim=-1)

    return similar
