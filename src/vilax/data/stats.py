"""What a corpus holds: documents, pictures, lengths of texts, sizes, what is supervised."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vilax.config.schema.data import Template
from vilax.data.decoding import header
from vilax.data.document import Image, Text
from vilax.data.formats.files import BadSample, Reader
from vilax.data.lint.scan import Lost, chosen, scan

if TYPE_CHECKING:
    from vilax.data.prompt import PromptEncoder

EXACT = 1000
"""Values up to this are counted one by one; larger ones in steps of 1 %."""

STEP = 1.01
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
BARS = " ▁▂▃▄▅▆▇█"


class Spread:
    """How a number is spread over documents, in memory that does not grow with their count.

    Mean, least and greatest are exact; quantiles of values above 1000 are right within 1 %.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self.least: int | None = None
        self.most: int | None = None
        self._steps: Counter[int] = Counter()

    def add(self, value: int) -> None:
        """Note one value, 0 or above."""
        self.count += 1
        self.total += value
        self.least = value if self.least is None else min(value, self.least)
        self.most = value if self.most is None else max(value, self.most)
        self._steps[_step(value)] += 1

    @property
    def mean(self) -> float:
        """Arithmetic mean; 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """The value that ``share`` of the values do not exceed."""
        if self.least is None or self.most is None:
            return 0.0
        wanted, seen = max(1, math.ceil(share * self.count)), 0
        for step in sorted(self._steps):
            seen += self._steps[step]
            if seen >= wanted:
                return float(min(max(_value(step), self.least), self.most))
        return float(self.most)

    def histogram(self, bars: int = 12) -> list[tuple[float, int]]:
        """Upper edge and count of equal parts between 0 and the 99 % quantile; the last takes the
        rest."""
        if not self.count:
            return []
        edge = max(self.quantile(0.99), 1.0)
        number = min(bars, int(edge) + 1)
        counts = [0] * number
        for step, found in self._steps.items():
            counts[min(number - 1, int(_value(step) * number / (edge + 1)))] += found
        return [((place + 1) * edge / number, found) for place, found in enumerate(counts)]

    def bar(self) -> str:
        """The histogram in one word."""
        counts = [number for _, number in self.histogram()]
        most = max(counts, default=0)
        # What is there at all is seen.
        return "".join(BARS[math.ceil(8 * n / most)] if most else BARS[0] for n in counts)

    def figures(self) -> dict[str, Any]:
        """All of it, for a report."""
        return {
            "count": self.count,
            "total": self.total,
            "mean": self.mean,
            "quantiles": {f"{share:g}": self.quantile(share) for share in QUANTILES},
            "histogram": [{"up_to": edge, "count": n} for edge, n in self.histogram()],
        }


def _step(value: int) -> int:
    return value if value <= EXACT else EXACT + 1 + int(math.log(value / EXACT, STEP))


def _value(step: int) -> float:
    return step if step <= EXACT else EXACT * STEP ** (step - EXACT - 0.5)


@dataclass(frozen=True)
class Measured:
    """Numbers of one document; None instead where it cannot be read.

    Attributes:
        texts: characters, words and (with a tokenizer) tokens, visual ones included.
        supervised: how much of the last is supervised, and how much there is.
        pictures: format, width and height of each.
    """

    texts: tuple[int, int, int | None]
    supervised: tuple[int, int]
    pictures: tuple[tuple[str, int, int], ...]


@dataclass
class Measurer:
    """Measures the documents of a corpus by index.

    Attributes:
        reader: the corpus.
        encoder: documents to tokens, if they are to be counted.
        template: how turns become text.
    """

    reader: Reader
    encoder: "PromptEncoder | None" = None
    template: Template = "raw"

    def __call__(self, index: int) -> Measured | None:
        """Numbers of document ``index``; of pictures the header alone is read."""
        try:
            document = self.reader[index]
            pictures = tuple(header(s.data) for s in document.segments if isinstance(s, Image))
            texts = [s for s in document.segments if isinstance(s, Text)]
            characters = sum(len(text.text) for text in texts)
            words = sum(len(text.text.split()) for text in texts)
            if self.encoder is None:
                trained = sum(len(text.text) for text in texts if text.loss)
                return Measured((characters, words, None), (trained, characters), pictures)
            from vilax.data.prompt import IGNORE

            encoded = self.encoder.document(document, self.template)
        except (BadSample, OSError, UnicodeError, TypeError):
            return None
        trained = int((encoded.labels != IGNORE).sum())
        size = len(encoded.tokens)
        return Measured((characters, words, size), (trained, size), pictures)


@dataclass
class Stats:
    """Numbers of a corpus.

    Attributes:
        name: the corpus.
        documents: documents it has; ``measured`` of them were opened.
        measured: documents opened.
        bad: of these, documents that cannot be read, or have a visibly broken picture.
        spreads: by what is counted per document or picture.
        formats: pictures by format.
        supervised: tokens (characters without a tokenizer) that are trained on.
        whole: tokens (characters) in all.
        unit: what these two count.
    """

    name: str
    documents: int
    measured: int = 0
    bad: int = 0
    spreads: dict[str, Spread] = field(default_factory=dict)
    formats: Counter[str] = field(default_factory=Counter)
    supervised: int = 0
    whole: int = 0
    unit: str = "characters"

    def add(self, measured: Measured | None) -> None:
        """Take in one document."""
        self.measured += 1
        if measured is None:
            self.bad += 1
            return
        characters, words, tokens = measured.texts
        self._spread("pictures", len(measured.pictures))
        self._spread("characters", characters)
        self._spread("words", words)
        if tokens is not None:
            self._spread("tokens", tokens)
            self.unit = "tokens"
        self.supervised += measured.supervised[0]
        self.whole += measured.supervised[1]
        for form, width, height in measured.pictures:
            self.formats[form.lower()] += 1
            self._spread("picture width", width)
            self._spread("picture height", height)

    def _spread(self, name: str, value: int) -> None:
        self.spreads.setdefault(name, Spread()).add(value)

    def figures(self) -> dict[str, Any]:
        """All of it, for a report."""
        return {
            "name": self.name,
            "documents": self.documents,
            "measured": self.measured,
            "bad": self.bad,
            "bad_share": self.bad / self.measured if self.measured else 0.0,
            "pictures": self.spreads["pictures"].total if "pictures" in self.spreads else 0,
            "supervised_share": self.supervised / self.whole if self.whole else 0.0,
            "unit": self.unit,
            "picture_formats": dict(self.formats.most_common()),
            "per_document": {
                name: spread.figures()
                for name, spread in self.spreads.items()
                if not name.startswith("picture ")
            },
            "per_picture": {
                name.removeprefix("picture "): spread.figures()
                for name, spread in self.spreads.items()
                if name.startswith("picture ")
            },
        }


def measure(
    name: str,
    measurer: Measurer,
    jobs: int = 1,
    limit: int | None = None,
    seed: int = 0,
    seconds: float = 60.0,
    tick: Callable[[int], None] = lambda number: None,
) -> Stats:
    """Numbers of a corpus.

    Args:
        name: the corpus's.
        measurer: opens its documents.
        jobs: processes.
        limit: documents to open, drawn at random; None: every one.
        seed: seed of the draw.
        seconds: longest time for one document; one that takes longer counts as bad.
        tick: called with the number of documents just done.
    """
    total = len(measurer.reader)
    stats = Stats(name, total)
    for _, measured in scan(measurer, chosen(total, limit, seed), jobs, seconds):
        stats.add(None if isinstance(measured, Lost) else measured)
        tick(1)
    return stats
