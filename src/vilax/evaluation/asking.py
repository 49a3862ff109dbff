"""What is asked: one prompt, the source of prompts, and what becomes of the answers."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Protocol

from vilax.config.schema.data import Template
from vilax.data.document import Document


class Readable(Protocol):
    """A picture that is read when it is needed."""

    def read(self) -> bytes:
        """The encoded file."""
        ...


@dataclass(frozen=True)
class Ask:
    """One prompt, before it is tokenised.

    Attributes:
        id: names the item within its task.
        document: the prompt; its images hold keys of ``pictures`` in the place of bytes.
        pictures: key to picture.
        candidates: among which the answer is ranked by likelihood; None where it is generated.
        shots: ids of the examples in the prompt, in order.
        group: prompts of one group begin with the same examples, which are then computed once.
    """

    id: str
    document: Document
    pictures: Mapping[bytes, Readable]
    candidates: tuple[str, ...] | None
    shots: tuple[str, ...]
    group: Hashable


@dataclass(frozen=True)
class Scored:
    """What the answers of a task are worth.

    Attributes:
        values: score of each item in 0..1, in order; None where a judge or server has yet to speak.
        share: the reported figure as a share of its largest value; None likewise.
        figures: all figures in their own units, by name; mappings for figures by category.
        primary: name of the reported figure in ``figures``.
        interval: 95 % interval of ``share`` by bootstrap over units; None where it has none.
        counts: what was counted on the way: unparsable answers, answers without a partner.
        notes: what a reader of the figures must know.
        scale: the reported figure, as tables print it, where ``share`` is 1.
    """

    values: Sequence[float | None]
    share: float | None
    figures: Mapping[str, Any]
    primary: str
    interval: tuple[float, float] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    scale: float = 100.0

    def with_failures(self, count: int, reason: str) -> "Scored":
        """The same with items that could not be asked, and so have an empty answer."""
        note = f"{count} items could not be asked and count as empty answers, the first: {reason}"
        return replace(
            self,
            counts={**self.counts, "not asked": count},
            notes=(*self.notes, note),
        )

    def with_figures(self, more: Mapping[str, Any]) -> "Scored":
        """The same with more figures."""
        return replace(self, figures={**self.figures, **more})


def mean_figures(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean over seeds of each figure; figures by category likewise."""
    found: dict[str, Any] = {}
    for name, value in figures[0].items():
        each = [one[name] for one in figures if name in one]
        if isinstance(value, Mapping):
            found[name] = mean_figures(each)
        elif isinstance(value, int | float) and len(each) > 1:
            found[name] = fmean(each)
        else:
            found[name] = value
    return found


class Source(Protocol):
    """A task as the runner sees it: a number of items, prompts for each, a score for all."""

    name: str
    shots: tuple[int, ...]
    template: Template
    max_new_tokens: int
    generates: bool

    def __len__(self) -> int:
        """Number of items."""
        ...

    def id(self, index: int) -> str:
        """Name of an item, unique within the task."""
        ...

    def ask(self, index: int, k: int, seed: int) -> Ask:
        """The prompt of an item with k shots, chosen by ``seed``."""
        ...

    def clean(self, text: str) -> str:
        """A generated answer without what the model went on to say."""
        ...

    def score(self, answers: Sequence[str]) -> Scored:
        """Score the answers of all items, in order."""
        ...

    def row(self, index: int) -> Mapping[str, Any]:
        """What a line of ``predictions.jsonl`` says of the item: reference, facts."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What ``results.json`` says of the task: metric, rule, prompt, files."""
        ...
