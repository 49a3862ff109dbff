"""Copies are found whatever was done to them, and nothing else is."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.writers import add, write_lines
from vilax.cli.main import main
from vilax.config.schema.selection import Selection
from vilax.data.formats import open_corpus
from vilax.data.overlap import Item, Wanted, search
from vilax.data.overlap.hashing import near
from vilax.data.overlap.texts import TextIndex, words
from vilax.data.selection import select


def photo(seed: int, width: int = 320, height: int = 240) -> PIL.Image.Image:
    """Smooth shapes and edges, different for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (5, 6, 3), dtype=np.uint8)
    base = PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BICUBIC)
    pixels = np.asarray(base).astype(np.int64).copy()
    for _ in range(5):
        x, y = rng.integers(0, width - 40), rng.integers(0, height - 40)
        w, h = rng.integers(30, 150, 2)
        pixels[y : y + h, x : x + w] = rng.integers(0, 255, 3)
    return PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encoded(image: PIL.Image.Image, form: str = "png", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)  # type: ignore[arg-type]
    return file.getvalue()


CHANGES: dict[str, Callable[[PIL.Image.Image], bytes]] = {
    "same": encoded,
    "quality 30": lambda i: encoded(i, "jpeg", quality=30),
    "webp": lambda i: encoded(i, "webp", quality=60),
    "a quarter": lambda i: encoded(i.resize((80, 60))),
    "twice": lambda i: encoded(i.resize((640, 480))),
    "square": lambda i: encoded(i.resize((224, 224))),
    "grey": lambda i: encoded(i.convert("L")),
    "brighter": lambda i: encoded(PIL.ImageEnhance.Brightness(i).enhance(1.1)),
    "cropped by 2 %": lambda i: encoded(i.crop((3, 2, 317, 238))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_and_others_are_not(change: str) -> None:
    wanted = Wanted([Item(f"e{n}", (encoded(photo(n)),)) for n in range(25)])
    for seed in range(25):
        found = wanted.in_document("k", [CHANGES[change](photo(seed))], [])
        assert [f.item for f in found] == [f"e{seed}"], seed
    assert not [
        f for s in range(1000, 1050) for f in wanted.in_document("k", [encoded(photo(s))], [])
    ]


def test_blank_pictures_are_found_by_their_bytes_only() -> None:
    white = encoded(PIL.Image.new("RGB", (40, 40), "white"))
    wanted = Wanted([Item("e", (white,))])
    assert wanted.flat == 1
    assert [f.what for f in wanted.in_document("k", [white], [])] == ["same picture"]
    grey = encoded(PIL.Image.new("RGB", (80, 40), "grey"))
    assert not wanted.in_document("k", [grey], [])


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(0, 15), st.data())
def test_near_hashes_are_those_of_brute_force(
    hashes: list[int], distance: int, data: st.DataObject
) -> None:
    wanted = data.draw(st.sampled_from(hashes) if hashes else st.just(5))
    for _ in range(data.draw(st.integers(0, 18))):
        wanted ^= 1 << data.draw(st.integers(0, 63))
    expected = [(n, d) for n, h in enumerate(hashes) if (d := (h ^ wanted).bit_count()) <= distance]
    assert near(np.array(hashes, dtype=np.uint64), wanted, distance) == expected


small = st.lists(st.sampled_from("abc"), min_size=5, max_size=9).map(" ".join)


@given(st.lists(small, min_size=1, max_size=4), small, st.integers(5, 7))
def test_shared_words_are_those_of_a_plain_search(items: list[str], text: str, size: int) -> None:
    index = TextIndex([[item] for item in items], size, common=1.0)

    def grams(of: str, length: int) -> set[tuple[str, ...]]:
        every = words(of)
        return {tuple(every[i : i + length]) for i in range(len(every) - length + 1)}

    # What more than three items share, of so few, is taken for their frame.
    expected = {
        n
        for n, item in enumerate(items)
        for length in [min(size, len(words(item)))]
        if any(
            sum(gram in grams(other, min(size, len(words(other)))) for other in items) <= 4
            for gram in grams(item, length) & grams(text, length)
        )
    }
    assert set(index.find(text)) == expected


def test_words() -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in "COLOUR")
    assert words(f"What's the {wide}, of it?") == ["what", "s", "the", "colour", "of", "it"]
    assert words("猫は何色") == list("猫は何色")
    frame = [[f"please answer the question briefly item number {n} of this"] for n in range(400)]
    index = TextIndex(frame, 5)
    assert not index.find("please answer the question briefly")
    assert list(index.find("item number 77 of this")) == [77]


def test_the_list_leaves_what_was_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tarfile

    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))
    with tarfile.open(tmp_path / "train.tar", "w") as tar:
        for n in range(30):
            add(tar, f"{n:03}.jpg", encoded(photo(n), "jpeg", quality=40))
            add(tar, f"{n:03}.txt", f"number {n}".encode())
        add(tar, "999.jpg", b"\xff\xd8\xff broken")
        add(tar, "999.txt", b"x")
    texts = [{"text": f"some words before and {n} more words behind it all"} for n in range(9)]
    write_lines(tmp_path / "train.jsonl", texts)
    (tmp_path / "val").mkdir()
    for n in (3, 7, 5000):
        (tmp_path / f"val/{n}.png").write_bytes(encoded(photo(n).resize((200, 150))))
    (tmp_path / "asked.txt").write_text(
        "words before and 4 more words behind it\n\nnothing at all\n"
    )
    train, texts_of = str(tmp_path / "train.tar"), str(tmp_path / "train.jsonl")
    evals = ["--eval", str(tmp_path / "val"), str(tmp_path / "asked.txt")]
    keys, report = tmp_path / "keys.txt", tmp_path / "r.json"
    options = [*evals, "--exclude-to", str(keys), "--to", str(report), "--ngram", "8"]
    assert main(["data", "overlap", train, texts_of, *options, "--jobs", "2"]) == 0
    said = capsys.readouterr()
    assert "2 of 31 documents hold 2 of 5 evaluation items (2 near picture)" in said.out
    assert "1 of 9 documents" in said.out
    assert "1 documents cannot be read" in said.err
    assert keys.read_text().split() == ["train.tar/003", "train.tar/007", "train.jsonl:5"]
    facts = json.loads(report.read_text())
    assert (
        facts["corpora"][texts_of]["found"][0]["detail"]
        == "words before and 4 more words behind it"
    )
    kept = select(open_corpus("t", Path(texts_of)), Selection(exclude=str(keys)))
    assert len(kept) == 8
    assert main(["data", "overlap", train, *evals, "--fail-above", "1", "--jobs", "1"]) == 1
    assert main(["data", "overlap", train, *evals, "--images-only", "--text-only"]) == 2


def test_processes_do_not_change_what_is_found(tmp_path: Path) -> None:
    lines = [{"text": f"a b c d e {n % 7} f g h i j k l"} for n in range(700)]
    reader = open_corpus("t", write_lines(tmp_path / "t.jsonl", lines))
    wanted = Wanted([Item("x", (), ("c d e 3 f g h i",)), Item("y", (), ("d e 4 f g",))], 6)
    assert search(reader, wanted, 2) == search(reader, wanted, 1)
    assert {f.item for f in search(reader, wanted).found} == {"x", "y"}
