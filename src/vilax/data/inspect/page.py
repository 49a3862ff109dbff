"""The page: totals, blend, what was left out, and the rows themselves."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from vilax.data.inspect.content import Facts, Shown
from vilax.data.inspect.pictures import Printed
from vilax.data.inspect.remarks import drawn_shares, remarks
from vilax.data.inspect.rows import legend, picture_symbols, row_html, widths
from vilax.data.inspect.script import JS
from vilax.data.inspect.style import CSS
from vilax.data.inspect.tally import Tally

SCHEMA = 1
"""Version of the data that the page holds for scripts."""

REASONS_SHOWN = 20
"""Documents and reasons that the page lists; the quarantine has all."""


def inspection_page(
    facts: Facts,
    tally: Tally,
    rows: Sequence[Shown],
    pictures: Sequence[Printed],
    side: int,
    noted: Sequence[Mapping[str, Any]],
) -> str:
    """One self-contained HTML page; its JSON (id ``data``) holds the same numbers.

    Args:
        facts: what it is about.
        tally: totals.
        rows: rows to show.
        pictures: by their number in the album.
        side: side at which pictures are stored in the page, in pixels.
        noted: lines of the quarantine.
    """
    said = remarks(facts, tally)
    data = {
        "schema": SCHEMA,
        "stage": facts.stage,
        "seed": facts.seed,
        "command": facts.command,
        "asked": {"per": facts.per, "shares": facts.asked},
        "totals": tally.as_json(),
        "remarks": said,
        "page": {"side": side, "spelling": facts.spelling},
        "pictures": [
            {"kind": p.kind, "width": p.width, "height": p.height, "bytes": p.bytes}
            for p in pictures
        ],
        "rows": [row.as_json() | {"widths": widths(row)} for row in rows],
    }
    title = f"What the model sees: {facts.stage}"
    links = "".join(f'<a href="#row-{row.number}">row {row.number}</a>' for row in rows)
    page = "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title><style>{CSS}</style></head><body>",
            picture_symbols(pictures, facts.side),
            '<header class="top"><p class="eyebrow">vilax data inspect</p>',
            f"<h1>{escape(title)}</h1><pre>{escape(facts.command)}</pre></header><main>",
            tiles(tally),
            _remarks(said),
            _blend(facts, tally),
            _charts(tally),
            _left_out(tally, noted),
            _settings(facts),
            f'<section class="rows" id="rows"><h2>The first {_many(len(rows), "row")}</h2>',
            _rows_note(facts, side),
            legend(),
            f'<nav aria-label="rows">{links}</nav>',
            *(row_html(row, facts) for row in rows),
            "</section></main>",
            "<footer><p>Pixels are those behind preprocessing and before normalisation, stored with"
            " a little loss. Nothing is fetched from elsewhere.</p></footer>",
            '<div id="tip" hidden></div><p id="said" class="hid" aria-live="polite"></p>',
            f'<script type="application/json" id="data">{island(data)}</script>',
            f"<script>{JS}</script></body></html>\n",
        )
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def island(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def tiles(tally: Tally) -> str:
    """The numbers that matter most."""
    total, read = tally.total, tally.all_intake
    left = sum(read.dropped.values()) + read.bad
    shown = (
        (_share(total.supervised, total.tokens), "of all tokens carry loss", "supervised"),
        (f"{total.supervised:,}", "supervised tokens", ""),
        (f"{total.tokens:,}", "tokens, visual ones included", ""),
        (f"{total.documents:,}", f"documents in {_many(tally.rows, 'row')}", "documents"),
        (f"{total.images:,}", f"pictures, {_mean(total.images, total.documents)} a document", ""),
        (_share(total.tokens, tally.positions), "of all positions filled by packing", ""),
        (f"{left:,}", f"left out; {read.split:,} documents cut", ""),
    )
    items = "".join(
        f"<li{' class=main' if name == 'supervised' else ''}{f' id=total-{name}' if name else ''}>"
        f"<b>{value}</b>{what}</li>"
        for value, what, name in shown
    )
    steps = _many(tally.steps, "optimizer step")
    return (
        f'<p class="note">Totals over the first {steps}: the same that the training log'
        ' counts up to there at the same seed. <a href="#rows">To the rows</a></p>'
        f'<ul class="tiles">{items}</ul>'
    )


def _remarks(said: Sequence[str]) -> str:
    if not said:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in said)
    return f'<section class="remarks"><h2>Worth a look</h2><ul>{items}</ul></section>'


def _settings(facts: Facts) -> str:
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.settings
    )
    return f'<section><h2>Settings</h2><dl class="facts">{items}</dl></section>'


def _blend(facts: Facts, tally: Tally) -> str:
    kinds = ("documents", "images", "tokens", "supervised")
    shares = {kind: drawn_shares(tally, kind) for kind in kinds}
    heads = ["corpus", "template", f"asked ({facts.per})"]
    heads += ["documents", "pictures", "tokens", "supervised"]
    heads += ["its tokens with loss", "documents read", "of"]
    lines = []
    for name, corpus in tally.corpora.items():
        drawn = [
            f"<b>{shares[kind][name]:.1%}</b>" if kind == facts.per else f"{shares[kind][name]:.1%}"
            for kind in kinds
        ]
        cells = [f"{facts.asked[name]:.1%}", *drawn, _share(corpus.supervised, corpus.tokens)]
        cells += [f"{tally.intake[name].read:,}", f"{facts.sizes[name]:,}"]
        lines.append(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(facts.templates[name])}</td>'
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + "</tr>"
        )
    return (
        "<section><h2>Blend: asked and drawn</h2>"
        + _table("blend", heads, lines)
        + '<p class="note">Share of each corpus. Documents are those read, which runs ahead of the'
        " rows by the buffers; pictures, tokens and supervised tokens are those in the rows. In"
        " bold: what was asked for.</p></section>"
    )


def _charts(tally: Tally) -> str:
    total = tally.total
    lengths = {f"{2**k:,} to {2 ** (k + 1) - 1:,}": n for k, n in sorted(total.lengths.items())}
    pictures = {f"{k:,}": n for k, n in sorted(total.pictures.items())}
    return (
        '<section class="charts"><div><h2>Tokens of a document</h2>'
        f"{_bars('tokens', lengths)}</div><div><h2>Pictures of a document</h2>"
        f"{_bars('pictures', pictures)}</div></section>"
    )


def _bars(what: str, counts: Mapping[str, int]) -> str:
    most, whole = max(counts.values(), default=1), sum(counts.values())
    lines = "".join(
        f'<tr><th scope="row">{name}</th><td><span class="bar"'
        f' style="width:{70 * number / most:.1f}%"></span>'
        f"{number:,} <small>{number / whole:.0%}</small></td></tr>"
        for name, number in counts.items()
    )
    head = f'<thead class="hid"><tr><th scope="col">{what}</th><th scope="col">documents</th></tr>'
    return f'<table class="bars">{head}</thead><tbody>{lines}</tbody></table>'


def _left_out(tally: Tally, noted: Sequence[Mapping[str, Any]]) -> str:
    reasons = sorted({reason for counts in tally.intake.values() for reason in counts.dropped})
    heads = ["corpus", "read", "set aside (broken)", "mended", "cut", *reasons, "packed"]
    lines = []
    for name, counts in tally.intake.items():
        cells = [counts.read, counts.bad, counts.mended, counts.split]
        cells += [counts.dropped.get(reason, 0) for reason in reasons]
        lines.append(
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join(f"<td>{cell:,}</td>" for cell in [*cells, counts.kept])
            + "</tr>"
        )
    note = (
        '<p class="note">Counted where documents are read, ahead of the rows. A document longer'
        " than a row is cut between its segments, never inside a picture; a piece without a"
        " supervised token is left out.</p>"
    )
    return (
        "<section><h2>Cut, mended and left out</h2>"
        + _table("left out", heads, lines)
        + note
        + _noted(noted)
        + "</section>"
    )


def _noted(noted: Sequence[Mapping[str, Any]]) -> str:
    if not noted:
        return ""
    groups: Counter[tuple[str, bool, str]] = Counter()
    examples: dict[tuple[str, bool, str], str] = {}
    for line in noted:
        group = (str(line["corpus"]), bool(line["kept"]), str(line["reason"]))
        groups[group] += 1
        examples.setdefault(group, str(line["key"]))
    lines = [
        f'<tr><th scope="row">{escape(group[0])}</th><td>{number:,}</td>'
        f'<td class="left">{"used" if group[1] else "set aside"}</td>'
        f'<td class="wide">{escape(group[2])}</td>'
        f'<td class="wide">{escape(examples[group])}</td></tr>'
        for group, number in groups.most_common(REASONS_SHOWN)
    ]
    more = len(groups) - REASONS_SHOWN
    rest = f'<p class="note">{_many(more, "more reason")} in the file.</p>' if more > 0 else ""
    heads = ["corpus", "documents", "then", "reason", "for example"]
    return _table("reasons", heads, lines) + rest


def _rows_note(facts: Facts, side: int) -> str:
    shrunk = ""
    if facts.side and side < facts.side:
        shrunk = f" Pictures are shown at {side} of {facts.side} pixels, to keep the page small."
    return (
        '<p class="note">In the order of training. Point at a token for its id, its position in the'
        " document (which the model gets) and its place in the row; or focus a document and use the"
        " arrow keys. Documents of a row do not see each other. \u2423 marks spaces at the ends of"
        f" a stretch and where several stand together, \u21b5 a newline.{shrunk}</p>"
    )


def _table(name: str, heads: Sequence[str], lines: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table><thead><tr>'
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def _mean(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "0"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
