"""What is made of a page before it is encoded: pairs, another order, fewer pictures, less loss."""

from collections.abc import Sequence
from dataclasses import replace

from vilax.config.schema.selection import Derivation
from vilax.data.document import Document, Image, Segment, Text


def derive(document: Document, derivation: Derivation) -> list[Document]:
    """The documents that stand for one that was read.

    Only pages are changed, documents whose texts have no role and which hold a picture; others
    come back alone and as they are. Fewer pictures are taken first, then pairs are cut or pictures
    moved, then loss is taken away. A picture with no text behind it is left out, as on any page.

    Args:
        document: as it was read.
        derivation: what to make of it.

    Returns:
        The document itself, one in its place, or its pairs, whose keys end in ``~1``, ``~2``;
        none where nothing is left.
    """
    if derivation == Derivation() or any(
        isinstance(segment, Text) and segment.role for segment in document.segments
    ):
        return [document]
    segments = _fewer(document.segments, derivation.images)
    if derivation.pairs:
        pairs = _pairs(segments)
        return [
            replace(document, key=f"{document.key}~{number}", segments=pair)
            for number, pair in enumerate(pairs, 1)
        ]
    if derivation.order == "images_first":
        segments = _images_first(segments)
    if derivation.loss == "following":
        segments = _following(segments)
    return [replace(document, segments=tuple(segments))] if segments else []


def _fewer(segments: Sequence[Segment], most: int | None) -> list[Segment]:
    """The first ``most`` pictures; texts between which one was left out become one."""
    kept: list[Segment] = []
    shown = 0
    for segment in segments:
        if isinstance(segment, Image):
            shown += 1
            if most is not None and shown > most:
                continue
        elif kept and isinstance(kept[-1], Text) and kept[-1].loss == segment.loss:
            before = kept.pop()
            assert isinstance(before, Text)
            segment = replace(before, text=f"{before.text} {segment.text}")
        kept.append(segment)
    while kept and isinstance(kept[-1], Image):
        kept.pop()
    return kept


def _pairs(segments: Sequence[Segment]) -> list[tuple[Segment, ...]]:
    """Each picture with the sentence behind it, which pictures that stand together share."""
    pairs: list[tuple[Segment, ...]] = []
    waiting: list[Image] = []
    for segment in segments:
        if isinstance(segment, Image):
            waiting.append(segment)
        else:
            pairs += [(picture, Text(first_sentence(segment))) for picture in waiting]
            waiting = []
    return pairs


def _images_first(segments: Sequence[Segment]) -> list[Segment]:
    """All pictures, then all texts as one (as one for each kind of loss that follows another)."""
    texts: list[Segment] = []
    for segment in segments:
        if isinstance(segment, Text):
            if texts and isinstance(texts[-1], Text) and texts[-1].loss == segment.loss:
                segment = replace(texts[-1], text=f"{texts[-1].text} {segment.text}")
                texts.pop()
            texts.append(segment)
    pictures: list[Segment] = [segment for segment in segments if isinstance(segment, Image)]
    return pictures + texts


def _following(segments: Sequence[Segment]) -> list[Segment]:
    """Loss only on the sentence right behind a picture."""
    marked: list[Segment] = []
    for segment in segments:
        if isinstance(segment, Image):
            marked.append(segment)
        elif marked and isinstance(marked[-1], Image):
            head = first_sentence(segment)
            marked.append(Text(head, loss=segment.loss))
            if rest := segment.text[len(head) :]:
                marked.append(Text(rest, loss=False))
        else:
            marked.append(replace(segment, loss=False))
    return marked


def first_sentence(text: Text) -> str:
    """The first sentence of a text; all of it where its sentences are not known."""
    return text.text[: text.sentence] if text.sentence else text.text
