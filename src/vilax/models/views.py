"""Pictures that the model sees in several views each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Views:
    """Some pictures, each in one or more views, and which of their visual tokens the LLM reads.

    Attributes:
        values: pixels [views, 3, size, size] or features [views, tokens, width], one picture's
            after another's.
        counts: views of each picture.
        orders: of each picture, places in the visual tokens of its own views, counted view after
            view; -1: the projector's newline.
    """

    values: Float[Tensor, "views ..."]
    counts: tuple[int, ...]
    orders: tuple[Int[Tensor, " tokens"], ...]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.counts)

    def __getitem__(self, which: slice | Sequence[int]) -> "Views":
        """Some of the pictures."""
        chosen = range(len(self))[which] if isinstance(which, slice) else which
        ends = torch.tensor(self.counts).cumsum(0).tolist()
        places = [at for one in chosen for at in range(ends[one] - self.counts[one], ends[one])]
        return Views(
            self.values[torch.tensor(places, dtype=torch.long, device=self.values.device)],
            tuple(self.counts[one] for one in chosen),
            tuple(self.orders[one] for one in chosen),
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> "Views":
        """The same with its values on a device, and of a type where one is given."""
        return self.of(self.values.to(device, dtype))

    def of(self, values: Float[Tensor, "views ..."]) -> "Views":
        """The same pictures with other values, such as features in the place of pixels."""
        return replace(self, values=values)

    @property
    def tokens(self) -> list[int]:
        """Visual tokens that the LLM reads of each picture."""
        return [len(order) for order in self.orders]

    def order(self, each: int) -> Int[Tensor, " visual"]:
        """Places of all pictures' tokens in those of all views.

        Args:
            each: visual tokens of a view.
        """
        start = 0
        found = []
        for count, order in zip(self.counts, self.orders, strict=True):
            found.append(torch.where(order < 0, order, order + start))
            start += count * each
        return torch.cat(found).to(self.values.device)


Visual = Tensor | Views
"""Pictures as the model takes them: a tensor with a picture in each row, or in views."""


def joined(pictures: Sequence[Visual]) -> Visual:
    """Several lots of pictures, all of one kind, as one."""
    views = [some for some in pictures if isinstance(some, Views)]
    if not views:
        return torch.cat([some for some in pictures if isinstance(some, Tensor)])
    return Views(
        torch.cat([some.values for some in views]),
        tuple(count for some in views for count in some.counts),
        tuple(order for some in views for order in some.orders),
    )


def tokens_of(pictures: Visual, each: int) -> list[int]:
    """Visual tokens of each picture.

    Args:
        pictures: some pictures.
        each: visual tokens of a view.
    """
    return pictures.tokens if isinstance(pictures, Views) else [each] * len(pictures)
