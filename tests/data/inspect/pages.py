"""A page made from documents by hand, and a browser to open it in."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.data.writers import byte_tokenizer
from vilax.data.document import Document, Image, Text
from vilax.data.images import ImageTransform
from vilax.data.inspect import Facts, MarkedEncoder, Shown, Tally, inspection_page, show_row
from vilax.data.inspect.pictures import BUDGET, Album
from vilax.data.intake import Counts
from vilax.data.packing import Row, pack
from vilax.data.prompt import Encoded

TRANSFORM = ImageTransform(32, "pad", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
VISUAL = 4
PROBE = "<script>addEventListener('error',e=>document.body.dataset.error=e.message)</script></head>"


def rows_of(
    encoder: MarkedEncoder, documents: Sequence[Document], length: int, template: Any = "qa"
) -> list[Row]:
    """Documents packed in their order, one row after the other."""
    rows: list[Row] = []
    waiting: list[Encoded] = []
    for document in documents:
        encoded = encoder.document(document, template)
        if sum(len(d.tokens) for d in waiting) + len(encoded.tokens) > length:
            rows.append(pack(waiting, length, encoder.pad_id))
            waiting = []
        waiting.append(encoded)
    return [*rows, pack(waiting, length, encoder.pad_id)]


def page_of(
    documents: Sequence[Document], length: int = 256, budget: int = BUDGET, noted: Any = ()
) -> tuple[str, Tally]:
    """The page of these documents, and its totals."""
    encoder = MarkedEncoder(byte_tokenizer(), VISUAL)
    album, tally = Album(), Tally(["web"])
    shown: list[Shown] = []
    for number, row in enumerate(rows_of(encoder, documents, length), 1):
        tally.add(row)
        shown.append(show_row(row, number, 1, 0, encoder, album, None))
    tally.end_step({0: {"web": Counts(read=len(documents), kept=len(documents))}})
    printed, side = album.printed(TRANSFORM, budget)
    facts = Facts(
        stage="pretrain",
        command="vilax data inspect pretrain",
        settings=(("Row", f"{length} tokens"),),
        asked={"web": 1.0},
        per="documents",
        sizes={"web": len(documents)},
        templates={"web": "qa"},
        length=length,
        side=TRANSFORM.size,
        seed=0,
        spelling="bytes",
    )
    return inspection_page(facts, tally, shown, printed, side, noted), tally


def pair(key: str, caption: str, data: bytes) -> Document:
    return Document(key, "web", (Image(data), Text(caption)))


def question(key: str, asked: str, answer: str) -> Document:
    segments = (Text(asked, False, "user"), Text(answer, True, "assistant"))
    return Document(key, "web", segments)


def island(page: str) -> dict[str, Any]:
    """What the page holds for scripts."""
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert len(found) == 1
    content: dict[str, Any] = json.loads(found[0])
    return content


def opened(page: Path | str, folder: Path, script: str = "") -> str:
    """The page's DOM after its scripts ran in headless Chromium, and ``script`` after them."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("no chromium to open the page in")
    text = page if isinstance(page, str) else page.read_text("utf-8")
    text = text.replace("</head>", PROBE, 1)
    text = text.replace("</body></html>", f"<script>{script}</script></body></html>")
    file = folder / "opened.html"
    file.write_text(text, "utf-8")
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000"]
    words += [f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=5000"]
    words += ["--dump-dom", f"file://{file}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert "<html" in done.stdout, done.stderr[-2000:]
    return done.stdout
