"""Training items in the order of their pictures' likeness to a question's (RICES)."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vilax.evaluation.pictures import Picture
from vilax.evaluation.question import Question

Similarity = Callable[[Sequence[Picture]], Float[Tensor, "pictures width"]]
"""One vector of length 1 a picture; their products are similarities."""

PICTURES = 1024
"""Pictures handed to the encoder at a time."""

QUESTIONS = 128
"""Questions compared with the pool in one matrix product."""

FIRST = 64
"""Neighbours that are put in order at first; four times as many each time that more are asked."""


class Nearest:
    """Likeness of a pool's pictures to questions' pictures.

    Every picture of the pool is encoded once, when the first question is asked; questions are
    compared in blocks of a fixed division, so that likeness does not depend on the order of asking.
    Of several pictures in an item the mean vector counts; items without one are like nothing.

    Args:
        pool: training items.
        places: which of them may be shots.
        similarity: the encoder.
        questions: that will be asked.
    """

    def __init__(
        self,
        pool: Sequence[Question],
        places: Int64[np.ndarray, " items"],
        similarity: Similarity,
        questions: Sequence[Question],
    ) -> None:
        self._similarity, self._questions = similarity, questions
        self._number = {question.id: number for number, question in enumerate(questions)}
        self._block = -1
        shown: dict[tuple[bytes, ...], tuple[Picture, ...]] = {}
        view = torch.zeros(len(pool), dtype=torch.long)
        number: dict[tuple[bytes, ...], int] = {}
        for place in places.tolist():
            pictures = pool[place].pictures
            keys = tuple(picture.key for picture in pictures)
            view[place] = number.setdefault(keys, len(number))
            shown[keys] = pictures
        self._vectors = self._encode(list(shown.values()))
        self._view = view.to(self._vectors.device)

    def order(self, question: Question, places: Int64[np.ndarray, " items"]) -> Iterator[int]:
        """Places of the pool, the most alike first; equals in the order of the file.

        Args:
            question: one of the questions.
            places: which items to order.
        """
        values = self.likeness(question, places)
        taken, wanted = 0, FIRST
        while taken < len(values):
            least = torch.topk(values, min(wanted, len(values))).values[-1]
            near = (values >= least).nonzero().squeeze(1)
            ranks = torch.sort(values[near], descending=True, stable=True).indices
            for place in near[ranks][taken:].tolist():
                yield int(places[place])
            taken = len(near)
            wanted = 4 * taken

    def likeness(
        self, question: Question, places: Int64[np.ndarray, " items"]
    ) -> Float[Tensor, " items"]:
        """Similarity of items to a question."""
        number = self._number[question.id]
        block = number // QUESTIONS
        if block != self._block:
            some = self._questions[block * QUESTIONS : (block + 1) * QUESTIONS]
            width = self._vectors.shape[1]
            vectors = self._encode([one.pictures for one in some], width)
            self._likeness = vectors.to(self._vectors) @ self._vectors.T
            self._block = block
        return self._likeness[number % QUESTIONS][self._view[torch.from_numpy(places)]]

    def _encode(
        self, views: Sequence[tuple[Picture, ...]], width: int = 1
    ) -> Float[Tensor, "views width"]:
        """One vector of length 1 a view; zero, ``width`` long, where no view has a picture."""
        pictures = {p.key: p for view in views for p in view}
        every = list(pictures.values())
        blocks = [
            self._similarity(every[start : start + PICTURES]).float()
            for start in range(0, len(every), PICTURES)
        ]
        if not blocks:
            return torch.zeros(len(views), width)
        encoded = torch.cat(blocks)
        row = {key: number for number, key in enumerate(pictures)}
        vectors = encoded.new_zeros(len(views), encoded.shape[1])
        for number, view in enumerate(views):
            if view:
                vectors[number] = encoded[[row[picture.key] for picture in view]].mean(0)
        return torch.nn.functional.normalize(vectors, dim=-1)
