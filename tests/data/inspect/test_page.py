"""The page says what is in the rows, is inert, stays small, and works in a browser."""

import re
from html import unescape

import numpy as np

from tests.data.inspect.pages import island, opened, page_of, pair, question
from tests.data.writers import picture
from vilax.data.document import Document, Text
from vilax.data.images import ImageTransform
from vilax.data.inspect.pictures import Album

EVIL = "</script><script>document.body.dataset.pwned='yes'</script><img src=x onerror=alert(1)>"


def noise(number: int, side: int = 64) -> bytes:
    """A picture that does not compress."""
    import io

    import PIL.Image

    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def test_the_data_for_scripts_are_the_rows() -> None:
    page, tally = page_of(
        [question("one", "what is this?", "a dog"), pair("two", "a cat\n", picture(1))]
    )
    data = island(page)
    row = data["rows"][0]
    assert [d["key"] for d in row["documents"]] == ["one", "two"]
    assert len(row["tokens"]) == len(row["widths"]) == 256
    supervised = sum(end - start for start, end in row["loss"])
    assert data["totals"]["supervised"] == supervised == tally.total.supervised
    assert supervised == sum(d["supervised"] for d in row["documents"])
    assert row["padding"] == 256 - data["totals"]["tokens"]
    (start, end, number), *rest = row["documents"][1]["images"]
    assert (end - start, number, rest) == (4, 0, [])
    assert row["tokens"][start:end] == [-200] * 4
    assert data["totals"]["lengths"] and data["totals"]["pictures"] == {"0": 1, "1": 1}


def test_loss_is_marked_and_nothing_else() -> None:
    page, _ = page_of([question("one", "what is this?", "a dog")])
    body = page.partition('id="row-1"')[2]
    marked = re.findall(r"<mark[^>]*>(.*?)</mark>", body, re.S)
    assert [unescape(text) for text in marked] == ["\u2423a dog", "</s>"]
    assert '<span class="u" data-at="11"' in body
    assert re.search(r'<span class="f"[^>]*>question :\u2423</span>', body)
    assert "positions of padding" in body


def test_what_a_document_holds_cannot_run(tmp_path) -> None:
    noted = [{"corpus": EVIL, "shard": EVIL, "key": EVIL, "reason": EVIL, "kept": False}]
    page, _ = page_of([question(EVIL, EVIL, EVIL)], 1024, noted=noted)
    assert "<script>document.body" not in page and "<img src=x" not in page
    assert page.count("<script") == 2
    dom = opened(page, tmp_path)
    assert "data-pwned" not in dom.partition("<body")[2].partition(">")[0]
    assert EVIL in "".join(unescape(dom).split("\u2423"))


def test_odd_characters_do_not_break_the_page() -> None:
    odd = "\r\x00\u202e \ud800 \U0001f98a"
    page, _ = page_of([Document(odd, "web", (Text("fine \U0001f98a\u2028"),))])
    page.encode("utf-8")
    assert "\u202e" not in re.sub(r"<header>.*?</header>", "", page)
    row = island(page)["rows"][0]
    shown = re.search(r'<mark data-at="1" data-n="\d+">(.*?)</mark>', page, re.S)
    assert shown is not None
    # A browser counts UTF-16 units.
    whole = sum(row["widths"][1 : row["documents"][0]["end"] - 1])
    assert len(unescape(shown[1]).encode("utf-16-le")) // 2 == whole


def test_a_picture_is_stored_once_and_shrunk_to_the_budget() -> None:
    documents = [pair(f"same {n}", "x", noise(0)) for n in range(6)]
    page, _ = page_of(documents)
    assert page.count("data:image/webp") == 1 and page.count("<use ") == 6
    album = Album()
    for number in range(20):
        album.add(noise(number, 300))
    large = ImageTransform(256, "pad", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    whole, side = album.printed(large)
    assert side == 256 and (whole[0].kind, whole[0].width) == ("PNG", 300)
    small, side = album.printed(large, budget=100_000)
    assert side < 224 and sum(len(p.uri) for p in small) <= 100_000


def test_the_page_in_a_browser(tmp_path) -> None:
    documents = [question(f"q{n}", "what is this?", f"a dog {n}") for n in range(20)]
    documents += [pair(f"p{n}", "two  spaces\nand more", picture(n)) for n in range(6)]
    page, tally = page_of(documents)
    rows = len(island(page)["rows"])
    dom = opened(
        page,
        tmp_path,
        """
        const text = document.querySelector('.doc .text');
        text.focus();
        for (let n = 0; n < 16; n++)
          text.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
        document.body.dataset.said = document.getElementById('said').textContent;
        const run = document.querySelector('.doc mark');
        run.scrollIntoView();
        const range = document.createRange();
        range.setStart(run.firstChild, 3);
        range.setEnd(run.firstChild, 4);
        const box = range.getBoundingClientRect();
        run.dispatchEvent(new PointerEvent('pointermove', {bubbles: true,
          clientX: box.left + .7 * box.width, clientY: box.top + .5 * box.height}));
        document.body.dataset.tip = document.getElementById('tip').innerText;
        """,
    )
    body = unescape(re.findall("<body[^>]*>", dom)[-1])
    assert "data-error" not in body
    assert 'data-ready="yes"' in dom
    assert f"<b>{tally.total.documents}</b>documents in {rows} rows" in dom
    assert f"<b>{tally.total.supervised / tally.total.tokens:.1%}</b>" in dom
    assert dom.count('<article class="doc"') == 26
    assert re.search(r"space token \d+, no loss, position 15 in document 1, 15 in row 1", body)
    assert "carries loss" in body and 'data-tip="d\n' in body
    assert "http" not in re.sub(r"data:image/webp[^\"]*", "", page)


def test_a_large_page_is_small_and_has_few_elements() -> None:
    words = "a photograph of several dogs that play in the garden behind the house "
    documents = [question(f"q{n}", words * 5, words * 5) for n in range(5 * 64)]
    page, tally = page_of(documents, 4096)
    assert tally.rows == 64 and tally.total.tokens > 0.8 * 64 * 4096
    assert len(page) < 10_000_000
    assert page.count("<") < 60 * len(documents)
