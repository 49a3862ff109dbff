"""Rows as HTML: one element for each stretch of tokens that are alike."""

from collections.abc import Sequence
from html import escape

from vilax.data.inspect.content import Facts, Run, Shown, ShownDocument
from vilax.data.inspect.marking import Part
from vilax.data.inspect.pictures import Printed
from vilax.data.prompt import IGNORE

SHOWN_SIDE = 104
"""Side of a picture among the text, in CSS pixels, at most."""

STRIP = 1200
"""Parts of a row that its overview tells apart."""

CLASSES = {
    Part.TEXT: "",
    Part.USER: "u",
    Part.ASSISTANT: "",
    Part.FRAME: "f",
    Part.IMAGE: "v",
    Part.SPECIAL: "s",
}


def picture_symbols(pictures: Sequence[Printed], side: int) -> str:
    """Each picture once; where it is shown it is referred to.

    Args:
        pictures: by their number in the album.
        side: side of the encoder's pictures, in pixels.
    """
    images = "".join(
        f'<symbol id="p{number}" viewBox="0 0 1 1"><image width="1" height="1"'
        f' href="{picture.uri}"/></symbol>'
        for number, picture in enumerate(pictures)
    )
    shown = min(SHOWN_SIDE, side)
    return (
        f"<style>.text .v svg{{width:{shown}px;height:{shown}px}}</style>"
        f'<svg class="hid" aria-hidden="true" width="0" height="0">{images}</svg>'
    )


def legend() -> str:
    """What the colours say."""
    return (
        '<p class="legend"><span class="text" style="padding:0"><mark>carries loss</mark></span>'
        '<span class="text" style="padding:0"><span>no loss</span></span>'
        '<span class="text" style="padding:0"><span class="u">question</span></span>'
        '<span class="text" style="padding:0"><span class="f">template</span></span>'
        '<span class="text" style="padding:0"><span class="s">special</span></span>'
        '<span><i class="key k-l"></i>loss</span><span><i class="key k-t"></i>no loss</span>'
        '<span><i class="key k-i"></i>picture</span></p>'
    )


def widths(row: Shown) -> list[int]:
    """Of each position of a row, the characters it shows, as a browser counts them (UTF-16)."""
    shown = [0] * len(row.row.tokens)
    for document in row.documents:
        for run in document.runs:
            for place, text in enumerate(run.texts, run.start):
                shown[place] = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return shown


def row_html(row: Shown, facts: Facts) -> str:
    """A row: its overview, its documents, its padding.

    Args:
        row: the row.
        facts: what the page is about.
    """
    length = len(row.row.tokens)
    supervised = int((row.row.labels != IGNORE).sum())
    images = sum(run.part == Part.IMAGE for d in row.documents for run in d.runs)
    told = (
        f"step {row.step}, stream {row.stream}; {_many(len(row.documents), 'document')},"
        f" {_many(images, 'picture')}, {length - row.padding:,} tokens, {supervised:,} with loss"
    )
    padding = ""
    if row.padding:
        padding = (
            f'<p class="pad">{row.padding:,} positions of padding'
            f" ({row.padding / length:.1%} of the row), {length - row.padding:,} to"
            f" {length - 1:,}</p>"
        )
    documents = "".join(
        document_html(document, number, facts) for number, document in enumerate(row.documents, 1)
    )
    return (
        f'<section class="row" id="row-{row.number}" data-row="{row.number - 1}">'
        f"<h3>Row {row.number} <small>{told}</small></h3>{strip(row)}{documents}{padding}</section>"
    )


def strip(row: Shown) -> str:
    """An overview of a row: where loss, pictures, borders and padding are."""
    length = len(row.row.tokens)
    least = length / STRIP
    shapes = []

    def bar(name: str, start: int, end: float) -> None:
        shapes.append(
            f'<rect class="{name}" x="{start}" width="{max(end - start, least):.6g}" height="20"/>'
        )

    filled = length - row.padding
    bar("t", 0, filled)
    reached = -1
    for document in row.documents:
        for run in document.runs:
            if (run.loss or run.part == Part.IMAGE) and run.end - reached >= least:
                bar("l" if run.loss else "i", run.start, run.end)
                reached = run.end
    for document in row.documents[1:]:
        bar("d", document.start, document.start + 3 * least)
    supervised = int((row.row.labels != IGNORE).sum())
    label = f"{supervised} of {filled} tokens carry loss; {row.padding} positions are padding"
    return (
        f'<svg class="strip" viewBox="0 0 {length} 20" preserveAspectRatio="none" role="img"'
        f' aria-label="{label}">{"".join(shapes)}</svg>'
    )


def document_html(document: ShownDocument, number: int, facts: Facts) -> str:
    """A document: what it is, and its tokens."""
    size = document.end - document.start
    marked = document.marked
    none = "" if document.supervised else ' class="none"'
    told = [
        f"<b>{number}</b>",
        f"<span><b>{escape(document.corpus)}</b></span>",
        f"<span>{escape(document.key)}</span>",
        f"<span>row {document.start:,} to {document.end - 1:,}</span>",
        f"<span>positions 0 to {size - 1:,}</span>",
        f"<span{none}>{document.supervised:,} of {size:,} with loss</span>",
    ]
    if marked is not None and marked.template != "raw":
        told.append(f"<span>template {escape(marked.template)}</span>")
    before = after = ""
    if marked is not None and marked.piece:
        told.append(f"<span><b>piece {marked.piece} of {marked.pieces}</b></span>")
        if marked.piece > 1:
            before = (
                f'<p class="cut">cut here: goes on from piece {marked.piece - 1}, behind its'
                f" {marked.start:,} tokens so far; positions begin at 0 again</p>"
            )
        if marked.piece < marked.pieces:
            after = (
                f'<p class="cut">cut here, for a row holds {facts.length:,} tokens; piece'
                f" {marked.piece + 1} is packed on its own</p>"
            )
    if marked is not None and marked.notes:
        told.append(f"<span>mended: {escape('; '.join(marked.notes))}</span>")
    runs = "".join(run_html(run) for run in document.runs)
    return (
        f'<article class="doc"><header>{"".join(told)}</header>{before}'
        f'<div class="text" tabindex="0" role="group" aria-label="tokens of document {number}">'
        f"{runs}</div>{after}</article>"
    )


def run_html(run: Run) -> str:
    """A stretch of tokens."""
    count = run.end - run.start
    where = f'data-at="{run.start}" data-n="{count}"'
    if run.part == Part.IMAGE:
        picture = "" if run.picture is None else f'<use href="#p{run.picture}"/>'
        return f'<span class="v" {where}><svg>{picture}</svg>{count} visual tokens</span>'
    name = CLASSES[run.part]
    element = "mark" if run.loss else "span"
    kind = f' class="{name}"' if name else ""
    return f"<{element}{kind} {where}>{escape(''.join(run.texts))}</{element}>"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
