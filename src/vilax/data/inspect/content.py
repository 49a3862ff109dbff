"""Rows as they are shown: documents, runs of tokens that are alike, pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from vilax.data.inspect.marking import Marked, MarkedEncoder, Part
from vilax.data.inspect.pictures import Album
from vilax.data.inspect.spelling import Kind, visible
from vilax.data.packing import Row
from vilax.data.prompt import IGNORE, IMAGE_TOKEN, Encoded


@dataclass(frozen=True)
class Facts:
    """What the page is about.

    Attributes:
        stage: name of the stage.
        command: a command line that makes the page again.
        settings: what shapes the rows, as label and value.
        asked: by corpus, its share in the blend.
        per: what the shares are of: documents, images or tokens.
        sizes: by corpus, its number of documents.
        templates: by corpus, its template.
        length: tokens of a row.
        side: side of the pictures that the encoder gets, in pixels; 0: there are none.
        seed: seed of the stage.
        spelling: how the tokenizer's vocabulary spells spaces.
    """

    stage: str
    command: str
    settings: tuple[tuple[str, str], ...]
    asked: dict[str, float]
    per: str
    sizes: dict[str, int]
    templates: dict[str, str]
    length: int
    side: int
    seed: int
    spelling: Kind


@dataclass(frozen=True)
class Run:
    """Neighbouring tokens of one kind.

    Attributes:
        start: place in the row of the first.
        end: behind the last.
        loss: whether they are supervised.
        part: what they are.
        texts: what each shows; a picture's tokens show nothing.
        picture: number in the album, where they are a picture's.
    """

    start: int
    end: int
    loss: bool
    part: Part
    texts: tuple[str, ...] = ()
    picture: int | None = None


@dataclass(frozen=True)
class ShownDocument:
    """A document within a row.

    Attributes:
        key: its key.
        corpus: its corpus.
        start: place in the row of its first token.
        end: behind its last.
        runs: its tokens.
        supervised: tokens that carry loss.
        marked: what is known of its tokens; None: labels only.
    """

    key: str
    corpus: str
    start: int
    end: int
    runs: tuple[Run, ...]
    supervised: int
    marked: Marked | None


@dataclass(frozen=True)
class Shown:
    """A row.

    Attributes:
        number: from 1, in the order of training.
        step: optimizer step that it belongs to, from 1.
        stream: logical stream that it comes from.
        row: the row itself.
        documents: what is in it.
    """

    number: int
    step: int
    stream: int
    row: Row
    documents: tuple[ShownDocument, ...]
    padding: int

    def as_json(self) -> dict[str, Any]:
        """The row for scripts: tokens, spans of loss [start, end), documents, pictures."""
        labels = self.row.labels != IGNORE
        return {
            "row": self.number,
            "step": self.step,
            "stream": self.stream,
            "tokens": self.row.tokens.tolist(),
            "loss": spans(labels),
            "padding": self.padding,
            "documents": [
                {
                    "key": document.key,
                    "corpus": document.corpus,
                    "start": document.start,
                    "end": document.end,
                    "supervised": document.supervised,
                    "images": [
                        [run.start, run.end, run.picture]
                        for run in document.runs
                        if run.part == Part.IMAGE
                    ],
                    "piece": None if document.marked is None else document.marked.piece,
                    "pieces": None if document.marked is None else document.marked.pieces,
                }
                for document in self.documents
            ],
        }


def spans(marks: "np.ndarray[Any, np.dtype[np.bool_]]") -> list[list[int]]:
    """Where marks begin and end: [start, end) of each stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], marks.astype(np.int8), [0]))))
    return [[int(a), int(b)] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def show_row(
    row: Row,
    number: int,
    step: int,
    stream: int,
    encoder: MarkedEncoder,
    album: Album,
    most_images: int | None,
) -> Shown:
    """A row as it is shown.

    Args:
        row: the row.
        number: of the row, from 1.
        step: its optimizer step, from 1.
        stream: its stream.
        encoder: which has seen its documents.
        album: takes the pictures.
        most_images: pictures of a row, at most.
    """
    length = len(row.tokens)
    owners = np.full(length, -1)
    owners[row.tokens == IMAGE_TOKEN] = np.repeat(np.arange(len(row.spans)), row.spans)
    documents = []
    for index, (key, corpus) in enumerate(zip(row.keys, row.corpora, strict=True), 1):
        places = np.flatnonzero(row.documents == index)
        start, end = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
        tokens, labels = row.tokens[start:end], row.labels[start:end]
        encoded = Encoded(key, corpus, tokens, labels, (), ())
        marked = encoder.explain(encoded, length, most_images)
        parts = _parts(tokens, marked, encoder)
        runs = _runs(start, tokens, labels != IGNORE, parts, owners[start:end], encoder)
        numbered = tuple(
            run
            if run.part != Part.IMAGE
            else replace(run, picture=album.add(row.images[int(owners[run.start])]))
            for run in runs
        )
        supervised = int((labels != IGNORE).sum())
        documents.append(ShownDocument(key, corpus, start, end, numbered, supervised, marked))
    padding = int((row.documents == 0).sum())
    return Shown(number, step, stream, row, tuple(documents), padding)


def _parts(
    tokens: "np.ndarray[Any, np.dtype[np.int64]]", marked: Marked | None, encoder: MarkedEncoder
) -> list[int]:
    if marked is not None:
        return [int(part) for part in marked.parts]
    parts = []
    for token in tokens.tolist():
        if token == IMAGE_TOKEN:
            parts.append(Part.IMAGE)
        else:
            parts.append(Part.SPECIAL if encoder.spelling.is_special(token) else Part.TEXT)
    return [int(part) for part in parts]


def _runs(
    offset: int,
    tokens: "np.ndarray[Any, np.dtype[np.int64]]",
    losses: "np.ndarray[Any, np.dtype[np.bool_]]",
    parts: Sequence[int],
    owners: "np.ndarray[Any, np.dtype[np.int64]]",
    encoder: MarkedEncoder,
) -> list[Run]:
    runs = []

    def kind(at: int) -> tuple[int, bool, int]:
        # Special tokens stand alone, and so does each picture.
        alone = at if parts[at] == Part.SPECIAL else 0
        return parts[at], bool(losses[at]), int(owners[at]) if parts[at] == Part.IMAGE else -alone

    for (part, loss, _), some in groupby(range(len(tokens)), kind):
        places = list(some)
        start, end = places[0], places[-1] + 1
        texts: tuple[str, ...] = ()
        if part == Part.SPECIAL:
            texts = (encoder.spelling.name(int(tokens[start])),)
        elif part != Part.IMAGE:
            texts = tuple(visible(encoder.spelling.texts(tokens[start:end].tolist())))
        runs.append(Run(offset + start, offset + end, loss, Part(part), texts))
    return runs
